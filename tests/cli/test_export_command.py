"""``wfctl export``, started the way a shell starts it."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fakes.servers import web_site
from started import Cli

ROOT = Path(__file__).parents[2]
SPEC = "dag:\n  pre: [post]\n  post: []\nwfctl:\n  nodes:\n    post: {resources: {num_gpus: 1, near: 1}}\n"
HANDLER = "def pre(data, context):\n    return data\n\n\ndef post(data, context):\n    return data\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workflow.yaml").write_text(SPEC)
    (tmp_path / "handler.py").write_text(HANDLER)
    return tmp_path


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the samples with their models, digits also as archives that hold the models and that do not."""
    folder = tmp_path_factory.mktemp("samples") / "samples"
    shutil.copytree(ROOT / "samples", folder, ignore=shutil.ignore_patterns("*.mar", "*.war", "__pycache__"))
    for name in ("digits", "languages"):
        subprocess.run([sys.executable, folder / name / "build.py"], check=True, capture_output=True)
    archive = [sys.executable, "-m", "wfctl", "archive", folder / "digits"]
    for more in (["--workflow-name", "whole", "--embed-models"], ["--workflow-name", "bare"]):
        subprocess.run([*archive, *more, "--export-path", folder / "digits"], check=True, capture_output=True)
    return folder


def application(text: str) -> dict:
    (only,) = yaml.safe_load(text)["applications"]
    return only


def names(text: str) -> list[str]:
    return [each["name"] for each in application(text)["deployments"]]


def test_the_config_goes_to_standard_output_and_nothing_is_said(cli: Cli, folder: Path) -> None:
    done = cli("export", "ray")
    assert (done.code, done.err) == (0, "")
    assert application(done.out)["args"]["workflow"] == str(folder)
    assert names(done.out) == ["wfctl-ingress", "pre", "post"]
    assert cli("export", "ray", ".", "-o", "-").out == done.out
    assert cli("export", "ray", "workflow.yaml").out == done.out.replace(str(folder), str(folder / "workflow.yaml"))


def test_a_file_is_written_and_what_to_do_next_is_said(cli: Cli, folder: Path) -> None:
    done = cli("export", "ray", "-o", "my app.yaml")
    assert (done.code, done.out) == (0, "")
    assert done.err == "wrote my app.yaml\nnext: serve deploy 'my app.yaml'\n"
    assert (folder / "my app.yaml").read_text() == cli("export", "ray").out


def test_a_file_that_is_there_is_left_alone_unless_that_is_said(cli: Cli, folder: Path) -> None:
    (folder / "app.yaml").write_text("mine")
    done = cli("export", "ray", "-o", "app.yaml")
    assert done.code == 1
    assert done.err == ('error[unsupported]: "app.yaml" already exists\nhint: overwrite it with --overwrite/-f\n')
    assert (folder / "app.yaml").read_text() == "mine"
    assert cli("export", "ray", "-o", "app.yaml", "-f").code == 0
    assert names((folder / "app.yaml").read_text())


def test_what_is_no_file_is_written_to(cli: Cli, folder: Path) -> None:
    assert cli("export", "ray", "-o", "/dev/stdout").out == cli("export", "ray").out


def test_nothing_is_left_where_it_cannot_be_written(cli: Cli, folder: Path) -> None:
    done = cli("export", "ray", "-o", "nowhere/app.yaml")
    assert done.code == 1
    assert done.err == 'error[unreadable-input]: cannot write "nowhere/app.yaml": No such file or directory\n'
    assert cli("export", "ray", "-o", ".").code == 2


@pytest.mark.parametrize("sample", ["digits", "languages"])
def test_samples_are_exported_and_what_has_to_travel_along_is_said(cli: Cli, samples: Path, sample: str) -> None:
    done = cli("export", "ray", samples / sample, "-o", "app.yaml")
    assert done.code == 0
    wrote, note, following = done.err.splitlines()
    assert wrote == "wrote app.yaml"
    assert note.startswith("note: not inside an archive: ")
    assert note.endswith("wfctl archive --embed-models")
    assert following == "next: serve deploy app.yaml"


class TestArchives:
    def test_an_archive_is_pinned_to_its_digest(self, cli: Cli, samples: Path) -> None:
        archive = samples / "digits" / "whole.war"
        done = cli("export", "ray", archive)
        assert (done.code, done.err) == (0, "")
        assert application(done.out)["args"] == {
            "workflow": str(archive),
            "name": "whole",
            "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        }

    def test_models_that_are_not_inside_are_named_unless_a_store_has_them(self, cli: Cli, samples: Path) -> None:
        archive = samples / "digits" / "bare.war"
        done = cli("export", "ray", archive)
        assert "note: not inside an archive: cnn, mlp; every machine must find them beside the workflow" in done.err
        done = cli("export", "ray", archive, "--model-store", samples / "digits")
        assert done.err == ""
        assert application(done.out)["args"]["model_store"] == str(samples / "digits")

    def test_the_machines_find_it_elsewhere(self, cli: Cli, samples: Path) -> None:
        done = cli("export", "ray", samples / "digits" / "whole.war", "--archive-at", "/mnt/flows/digits.war")
        arguments = application(done.out)["args"]
        assert arguments["workflow"] == "/mnt/flows/digits.war"
        assert len(arguments["sha256"]) == 64

    def test_a_url_is_told_with_what_allows_it(self, cli: Cli, samples: Path) -> None:
        words = ["export", "ray", samples / "digits" / "whole.war", "--archive-at", "https://flows.test/a/whole.war"]
        done = cli(*words)
        assert done.code == 1
        assert 'hint: allow it with --allow-url "https://flows.test/a/"' in done.err
        done = cli(*words, "--allow-url", "https://flows.test/a/")
        assert done.code == 0
        arguments = application(done.out)["args"]
        assert arguments["workflow"] == "https://flows.test/a/whole.war"
        assert arguments["allowed_urls"] == ["https://flows.test/a/"]

    def test_a_url_that_is_pinned_to_something_else_is_refused(self, cli: Cli, samples: Path) -> None:
        url = f"https://flows.test/whole.war#sha256={'0' * 64}"
        allowed = ("--archive-at", url, "--allow-url", "flows.test")
        done = cli("export", "ray", samples / "digits" / "whole.war", *allowed)
        assert done.code == 1
        assert f'"https://flows.test/whole.war" is pinned to {"0" * 64}, and what was exported has ' in done.err

    def test_nothing_lies_beside_a_url(self, cli: Cli, samples: Path) -> None:
        allowed = ("--archive-at", "https://flows.test/bare.war", "--allow-url", "flows.test")
        done = cli("export", "ray", samples / "digits" / "bare.war", *allowed)
        assert done.code == 1
        assert "the models cnn, mlp are not inside the archive, and nothing lies beside a url" in done.err

    def test_a_url_without_a_digest_needs_trust(self, cli: Cli, folder: Path) -> None:
        words = ["export", "ray", "--archive-at", "https://flows.test/flow.war", "--allow-url", "flows.test"]
        done = cli(*words)
        assert done.code == 1
        assert done.err.startswith("error[not-trusted]: nothing vouches for what is at")
        assert application(cli(*words, "--trust").out)["args"]["trust"] is True

    def test_a_workflow_at_a_url_is_pinned_to_what_was_fetched_and_models_that_were_fetched_are_not_missed(
        self, cli: Cli, samples: Path, tmp_path: Path
    ) -> None:
        model = next((samples / "languages").glob("*.mar"))
        with web_site() as site:
            spec = (samples / "languages" / "workflow.yaml").read_text()
            url, digest = site.serve("/m.mar", model.read_bytes()), hashlib.sha256(model.read_bytes()).hexdigest()
            (tmp_path / "workflow.yaml").write_text(
                spec.replace(f"url: {model.name}", f"url: {url}\n    sha256: {digest}")
            )
            shutil.copy(samples / "languages" / "handler.py", tmp_path)
            assert cli("archive", "--workflow-name", "flow").code == 0
            content = (tmp_path / "flow.war").read_bytes()
            url = site.serve("/flow.war", content)
            for cache in ("", str(tmp_path / "cache")):
                words = ("export", "ray", url, "--allow-url", site.url(), "--trust")
                done = cli(*words, env={"WFCTL_CACHE": cache, "HOME": "", "XDG_CACHE_HOME": ""})
                assert done.code == 0, done.err
                assert "not inside" not in done.err
                assert application(done.out)["args"] == {
                    "workflow": url,
                    "name": "flow",
                    "allowed_urls": [site.url()],
                    "trust": True,
                    "sha256": hashlib.sha256(content).hexdigest(),
                }

    def test_a_digest_that_the_archive_has_not_is_refused(self, cli: Cli, samples: Path) -> None:
        done = cli("export", "ray", samples / "digits" / "whole.war", "--sha256", "0" * 64)
        assert done.code == 1
        assert "Traceback" not in done.err

    def test_an_archive_of_the_store_is_named_by_its_path(self, cli: Cli, samples: Path) -> None:
        done = cli("export", "ray", "whole.war", "--workflow-store", samples / "digits")
        assert application(done.out)["args"]["workflow"] == str(samples / "digits" / "whole.war")

    def test_what_ray_cannot_do_is_refused_by_its_key(self, cli: Cli, tmp_path: Path) -> None:
        from wfctl.archive.mar import write_mar

        (tmp_path / "m.py").write_text("def handle(data, context):\n    return data\n")
        (tmp_path / "model-config.yaml").write_text("deviceIds: [0]\n")
        write_mar(
            tmp_path / "m.mar",
            model_name="m",
            handler=tmp_path / "m.py",
            config_file=tmp_path / "model-config.yaml",
        )
        (tmp_path / "workflow.yaml").write_text("models:\n  m: {url: m.mar}\ndag:\n  m: []\n")
        done = cli("export", "ray", "workflow.yaml", "-o", "app.yaml")
        assert done.code == 1
        assert '"deviceIds" of node "m" (model-config.yaml) cannot be honoured' in done.err
        assert not (tmp_path / "app.yaml").exists()


class TestKubeRay:
    def test_a_manifest_is_written_and_what_pods_lack_is_said(self, cli: Cli, folder: Path) -> None:
        done = cli("export", "ray", "--kuberay", "-o", "service.yaml")
        assert done.code == 0
        image = f"rayproject/ray:2.60.0-py3{sys.version_info[1]}"
        assert done.err == (
            "wrote service.yaml\n"
            f"note: {image} holds neither wfctl nor torch: name another with --image, or install them with --pip\n"
            f'note: every pod must have "{folder}"; --archive-at names a place that all of them have, or a url\n'
            "next: kubectl apply -f service.yaml\n"
        )
        manifest = yaml.safe_load((folder / "service.yaml").read_text())
        assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayService")
        assert manifest["spec"]["serveConfigV2"] == cli("export", "ray").out
        groups = manifest["spec"]["rayClusterConfig"]["workerGroupSpecs"]
        assert [each["groupName"] for each in groups] == ["workers", "gpu-workers"]
        assert image in str(groups)

    def test_an_image_and_a_place_of_one_s_own_need_no_word(self, cli: Cli, folder: Path) -> None:
        words = ("--kuberay", "--image", "registry.test/flow:1", "--archive-at", "/opt/flow")
        done = cli("export", "ray", *words)
        assert (done.code, done.err) == (0, "")
        assert "image: registry.test/flow:1\n" in done.out

    def test_an_image_is_for_pods(self, cli: Cli, folder: Path) -> None:
        done = cli("export", "ray", "--image", "x")
        assert done.code == 2
        assert "--image is for --kuberay" in done.err


def test_what_is_said_on_the_line_is_in_the_file(cli: Cli, folder: Path) -> None:
    words = "--host :: --port 9000 --route-prefix /flow --pip wfctl[ray] --pip numpy --until pre --startup-timeout 300"
    more = "--install-requirements --service-envelope json --handler handler.py"
    done = cli("export", "ray", *words.split(), *more.split())
    config = yaml.safe_load(done.out)
    assert config["http_options"] == {"host": "::", "port": 9000}
    (only,) = config["applications"]
    assert only["route_prefix"] == "/flow"
    assert only["runtime_env"] == {"pip": ["wfctl[ray]", "numpy"]}
    assert only["args"] == {
        "workflow": str(folder),
        "name": only["name"],
        "handler": str(folder / "handler.py"),
        "until": "pre",
        "startup_timeout_s": 300.0,
        "install_requirements": True,
        "service_envelope": "json",
    }


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ((), 2, "Commands:\n  ray  A config file for Ray Serve, or a manifest for KubeRay."),
        (("rya",), 2, "No such command 'rya'. Did you mean 'ray'?"),
        (("ray", "nowhere.war"), 1, 'there is no file "nowhere.war"'),
        (("ray", "--archive-at", "flows/x.war"), 2, "it is neither a url nor an absolute path"),
        (("ray", "--archive-at", ""), 2, "it is neither a url nor an absolute path"),
        (("ray", "--archive-at", "s3://bucket/x.war"), 1, "s3"),
        (("ray", "https://flows.test/x.war"), 1, "nothing is, unless it is allowed"),
        (("ray", "--route-prefix", "flow"), 2, 'it must begin with "/"'),
        (("ray", "--route-prefix", "/flow/"), 2, 'it may not end with "/"'),
        (("ray", "--route-prefix", "/{x}"), 2, 'it may have neither "{" nor "}"'),
        (("ray", "--port", "0"), 2, "0 is not in the range"),
        (("ray", "--pip", " "), 2, "it says nothing"),
        (("ray", "--until", "pots"), 1, 'did you mean "post"?'),
        (("ray", "-o", "x" * 300), 1, "cannot write"),
    ],
)
def test_a_mistake_is_said_and_is_no_fault_of_ours(
    cli: Cli, folder: Path, words: tuple[str, ...], code: int, complaint: str
) -> None:
    done = cli("export", *words)
    assert done.code == code
    assert complaint in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_a_workflow_that_is_not_sound_is_not_exported(cli: Cli, folder: Path) -> None:
    (folder / "workflow.yaml").write_text("dag:\n  pre: [pots]\n")
    done = cli("export", "ray", "-o", "app.yaml")
    assert done.code == 1
    assert "WF304" in done.err
    assert not (folder / "app.yaml").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes there")
def test_a_folder_whose_name_is_no_text_is_written_as_what_python_calls_it(cli: Cli, folder: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff"))
    odd.mkdir()
    for name in ("workflow.yaml", "handler.py"):
        (folder / name).rename(odd / name)
    done = cli("export", "ray", "-o", "app.yaml", odd)
    assert done.code == 0, done.err
    (only,) = yaml.safe_load((folder / "app.yaml").read_bytes())["applications"]
    assert only["args"]["workflow"] == str(odd)


def test_words_are_completed(cli: Cli, folder: Path) -> None:
    def offered(*words: str) -> list[str]:
        line = {"COMP_WORDS": " ".join(["wfctl", "export", *words]), "COMP_CWORD": str(len(words) + 1)}
        done = cli(env={"_WFCTL_COMPLETE": "bash_complete", **line})
        return [each.partition(",")[2] for each in done.out.splitlines() if each.startswith("plain,")]

    assert offered("") == ["ray"]
    assert offered("ray", "") == ["workflow.yaml"]
    assert offered("ray", "--until", "po") == ["post"]
    assert {"--kuberay", "--archive-at", "--overwrite"} <= set(offered("ray", "--"))


@pytest.mark.parametrize("words", [("ray",), ("ray", "--kuberay"), ("ray", "--help"), ("--help",)])
def test_neither_ray_nor_torch_is_needed(folder: Path, words: tuple[str, ...]) -> None:
    program = (
        "import sys; sys.modules.update(ray=None, torch=None); "
        f"sys.argv = ['wfctl', 'export', *{list(words)!r}]; from wfctl.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
