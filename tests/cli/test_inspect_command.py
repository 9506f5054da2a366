import hashlib
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from wfctl.archive.mar import write_mar

SPEC = "models:\n  m1: {url: m1.mar}\ndag:\n  pre: [m1]\n  m1: [post]\n"
HANDLER = "def pre(data, context):\n    return data\n\n\ndef post(data, context):\n    return data\n"


class Bomb:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.fixture
def flow(tmp_path):
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "workflow.yaml").write_text(SPEC)
    (folder / "handler.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n{HANDLER}")
    return folder


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "handler.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n")
    (folder / "weights.bin").write_bytes(pickle.dumps(Bomb(str(tmp_path / "ran"))))
    write_mar(
        tmp_path / "m1.mar", model_name="m1", handler=folder / "handler.py", serialized_file=folder / "weights.bin"
    )
    return tmp_path / "m1.mar"


def test_a_workflow_shows_its_manifest_members_and_nodes(cli, flow, tmp_path):
    assert cli("archive", "flow").code == 0
    done = cli("inspect", "flow.war")
    assert (done.code, done.err) == (0, "")
    digest = hashlib.sha256((tmp_path / "flow.war").read_bytes()).hexdigest()
    handler = hashlib.sha256((flow / "handler.py").read_bytes()).hexdigest()
    lines = done.out.splitlines()
    assert lines[0].startswith("flow.war: workflow archive (zip), 3 members, ")
    assert lines[1] == f"sha256 {digest}"
    assert "  name          flow" in lines
    assert any(line.endswith(f"{handler[:12]}  file  handler.py") for line in lines)
    nodes = lines[lines.index("nodes") + 1 :]
    assert [line.split() for line in nodes[:3]] == [
        ["pre", "function", "handler.py:", "pre", "->", "m1"],
        ["m1", "model", "m1.mar", "(not", "found)", "->", "post"],
        ["post", "function", "handler.py:", "post", "answers"],
    ]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.out


def test_nothing_of_the_archive_is_run(cli, flow, model, tmp_path):
    assert cli("archive", "flow").code == 0
    for archive in ("flow.war", "m1.mar"):
        assert cli("inspect", archive).code == 0
        assert cli("inspect", archive, "--json").code == 0
    assert not (tmp_path / "ran").exists()


def test_a_model_shows_its_handler_weights_and_risks(cli, model):
    done = cli("inspect", "m1.mar")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith("m1.mar: model archive (zip), 3 members, ")
    assert "  handler       handler.py" in lines
    assert "  weights       weights.bin (pickle)" in lines
    assert lines[-1] == '  "weights.bin" is a pickle: loading it may run anything'


def test_the_json_holds_everything(cli, model, flow, tmp_path):
    record = json.loads(cli("inspect", "m1.mar", "--json").out)
    assert record["kind"] == "mar"
    assert record["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert record["manifest"]["model"]["handler"] == "handler.py"
    weights = hashlib.sha256((tmp_path / "model" / "weights.bin").read_bytes()).hexdigest()
    (member,) = [each for each in record["members"] if each["name"] == "weights.bin"]
    assert (member["sha256"], member["content"]) == (weights, "pickle")
    assert len(record["warnings"]) == 1
    assert cli("archive", "flow").code == 0
    record = json.loads(cli("inspect", "flow.war", "--json").out)
    assert (record["kind"], record["sound"]) == ("war", True)
    assert record["nodes"][1] == {
        "name": "m1",
        "kind": "model",
        "runs": "m1.mar",
        "where": "m1.mar",
        "children": ["post"],
    }


def test_an_unsound_workflow_is_shown_with_its_findings(cli, flow, tmp_path):
    (flow / "workflow.yaml").write_text("dag:\n  pre: [post]\n  post: [pre]\n")
    assert cli("archive", "flow", "--no-check").code == 0
    done = cli("inspect", "flow.war")
    assert done.code == 0
    assert "  error WF301: " in done.out
    assert "  wfctl validate flow.war shows the places" in done.out
    assert json.loads(cli("inspect", "flow.war", "--json").out)["sound"] is False


def test_what_a_manifest_names_and_is_missing_is_said(cli, tmp_path):
    with zipfile.ZipFile(tmp_path / "m.mar", "w") as archive:
        archive.writestr(
            "MAR-INF/MANIFEST.json", '{"model": {"modelName": "m", "handler": "h.py", "serializedFile": "w.pt"}}'
        )
    done = cli("inspect", "m.mar")
    assert done.code == 0
    assert "h.py (not in the archive)" in done.out
    assert 'the manifest names "w.pt", which is not in the archive' in done.out


@pytest.mark.parametrize(
    ("handler", "shown"),
    [
        ("base_handler", "base_handler (built in)"),
        ("vision_handler", "vision_handler (built in)"),
        ("vllm_handler", "vllm_handler (built into TorchServe, not here)"),
        ("serving.entry:answer", "serving/entry.py, function answer"),
        ("some/where/h.py", "some/where/h.py (not in the archive)"),
    ],
)
def test_a_handler_is_shown_as_it_will_be_found(cli, tmp_path, handler, shown):
    with zipfile.ZipFile(tmp_path / "m.mar", "w") as archive:
        archive.writestr("serving/entry.py", "")
        archive.writestr("some/where/h.py", "")
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps({"model": {"modelName": "m", "handler": handler}}))
    assert f"  handler       {shown}" in cli("inspect", "m.mar").out.splitlines()


def test_a_folder_that_was_an_archive_is_shown(cli, model, tmp_path):
    with zipfile.ZipFile(model) as archive:
        archive.extractall(tmp_path / "unpacked")
    done = cli("inspect", "unpacked")
    assert done.code == 0
    assert done.out.startswith("unpacked: model archive (folder), 3 members")
    assert "sha256 " not in done.out.splitlines()[1]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", '"a.war" is empty'),
        (b"models:\n", '"a.war" is neither a zip nor a gzip tar'),
    ],
)
def test_what_is_no_archive_is_refused(cli, tmp_path, content, fault):
    (tmp_path / "a.war").write_bytes(content)
    done = cli("inspect", "a.war")
    assert done.code == 1
    assert fault in done.err
    assert done.out == ""


def test_a_hostile_archive_is_refused_with_the_member(cli, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.war", "w") as archive:
        archive.writestr("../../evil\x1b[31m", "x")
    done = cli("inspect", "a.war")
    assert done.code == 1
    assert '"a.war" is refused: member "../../evil' in done.err
    assert "\x1b" not in done.err


def test_an_archive_without_a_manifest_is_refused(cli, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x", "x")
    done = cli("inspect", "a.zip")
    assert done.code == 1
    assert "it has neither WAR-INF/MANIFEST.json nor MAR-INF/MANIFEST.json" in done.err


def test_neither_torch_nor_rich_is_imported(cli, model, tmp_path):
    script = (
        "import sys\nfrom wfctl.cli.inspect import command\n"
        "command.main(['m1.mar'], standalone_mode=False)\n"
        "assert not {'torch', 'rich', 'numpy'} & sys.modules.keys()\n"
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )


def test_a_model_inside_that_would_be_refused_is_named(cli, flow, model, tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.mar", "w") as archive:
        archive.writestr("../evil", "x")
    before = sorted(tmp_path.iterdir())
    assert cli("archive", "flow", "--extra-files", "evil.mar,m1.mar").code == 0
    done = cli("inspect", "flow.war")
    assert done.code == 0
    assert '  "evil.mar" would be refused: member "../evil" leads out of the archive' in done.out.splitlines()
    assert '"m1.mar" would be' not in done.out
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "flow.war"])


def test_a_model_shows_what_becomes_of_its_configuration_and_requirements(cli, tmp_path):
    (tmp_path / "h.py").write_text("def handle(data, context): ...\n")
    (tmp_path / "c.yaml").write_text("startupTimeout: 9\nbatchSize: 2\ndeviceType: gpu\nuseVenv: true\nmaxWorkers: x\n")
    (tmp_path / "r.txt").write_text("click\nclick<1\n=> 2\na-package-that-nobody-has\n")
    words = ["--model-name", "m", "--handler", "h", "-v", "3.1", "-c", "c.yaml", "-r", "r.txt"]
    assert cli("archive-model", *words).code == 0
    done = cli("inspect", "m.mar")
    assert done.code == 0
    lines = [line.split(maxsplit=1) for line in done.out.splitlines() if line.startswith("  ")]
    shown = {words[0]: words[1] for words in lines if len(words) > 1}
    assert (shown["version"], shown["handler"], shown["runtime"]) == ("3.1", "h.py", "python")
    assert shown["startupTimeout"] == "applied"
    assert shown["batchSize"] == 'no effect in a workflow: the spec\'s "batch-size" applies'
    assert shown["deviceType"] == "applied: without a GPU the workers run on the CPU, as in TorchServe"
    assert shown["useVenv"].startswith("not supported: ")
    assert shown["maxWorkers"] == "ignored: is text, not a whole number"
    assert shown["4"] == "requirements, 1 satisfied by this environment"
    assert "a-package-that-nobody-has (r.txt, line 4): is not installed" in done.out
    record = json.loads(cli("inspect", "m.mar", "--json").out)
    assert record["config"]["fault"] is None
    assert record["config"]["keys"]["startupTimeout"] == "applied"
    assert record["requirements"]["count"] == 4
    assert [each["line"] for each in record["requirements"]["unmet"]] == [2, 3, 4]


def test_the_most_workers_of_a_configuration_are_said_to_run_as_far_as_there_is_room(cli, tmp_path):
    (tmp_path / "h.py").write_text("def handle(data, context): ...\n")
    leave = "applied: up to 4 run under load, but no more than there are processors for them"
    for most, fate in ((4, leave), (2, "applied")):
        (tmp_path / "c.yaml").write_text(f"minWorkers: 2\nmaxWorkers: {most}\n")
        assert cli("archive-model", "--model-name", "m", "--handler", "h", "-v", "1", "-c", "c.yaml", "-f").code == 0
        keys = json.loads(cli("inspect", "m.mar", "--json").out)["config"]["keys"]
        assert keys == {"minWorkers": "applied", "maxWorkers": fate}


def test_a_model_for_another_runtime_is_shown_with_a_warning(cli, tmp_path):
    for runtime, said in (("LSP", "is for the C++ runtime"), ("java", 'the runtime "java" is none of python,')):
        with zipfile.ZipFile(tmp_path / "m.mar", "w") as archive:
            archive.writestr("MAR-INF/MANIFEST.json", json.dumps({"runtime": runtime, "model": {}}))
        done = cli("inspect", "m.mar")
        assert (done.code, said in done.out) == (0, True)
