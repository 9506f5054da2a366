"""Archives in every form they come in, run by the real command; and what they say of themselves."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
SPEC = "models:\n  m1:\n    url: {url}\ndag:\n  pre: [m1]\n  m1: [post]\n"
FUNCTIONS = """\
def pre(data, context):
    return None if data is None else [data[0]["body"]]


def post(data, context):
    return None if data is None else [b"<" + bytes(data[0]["body"]) + b">"]
"""
MODEL = """\
import os

HERE = {}


def handle(data, context):
    if data is None:
        folder = context.system_properties["model_dir"]
        HERE["weights"] = open(os.path.join(folder, context.manifest["model"]["serializedFile"])).read()
        HERE["config"] = context.model_yaml_config
        return None
    return [HERE["weights"] + str(HERE["config"].get("word", "")) + row["body"].decode() for row in data]
"""
MANIFEST = {
    "createdOn": "11/29/2020",
    "archiverVersion": "0.2.15",
    "workflow": {"workflowName": "flow", "specFile": "flow.yaml", "handler": "flow.py"},
}


@pytest.fixture
def desk(tmp_path):
    """Return a folder with the parts of one workflow."""
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / "flow.yaml").write_text(SPEC.format(url="m1.mar"))
    (folder / "flow.py").write_text(FUNCTIONS)
    (folder / "model.py").write_text(MODEL)
    (folder / "weights.txt").write_text("w:")
    (folder / "input.txt").write_text("hello")
    return folder


@pytest.fixture
def original(tmp_path):
    """Run one of the real archivers, with a temporary folder of its own."""

    def run(program, *words, cwd):
        (tmp_path / "t").mkdir(exist_ok=True)
        env = {**os.environ, "TMPDIR": str(tmp_path / "t")}
        subprocess.run([BIN / program, *map(str, words)], cwd=cwd, env=env, check=True, capture_output=True)

    return run


def _model(desk, wfctl, *words):
    """Pack the model with our own archiver."""
    given = ["--model-name", "m1", "--handler", "model.py", "-v", "1", "--serialized-file", "weights.txt", "-f"]
    done = wfctl("archive-model", *given, *words, cwd=desk)
    assert done.returncode == 0, done.stderr.decode()


def _war(path, desk, *, manifest=MANIFEST, raw=None, extra=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("WAR-INF")
        archive.writestr("WAR-INF/MANIFEST.json", json.dumps(manifest) if raw is None else raw)
        for name in ("flow.yaml", "flow.py", *extra):
            archive.write(desk / name, name)
    return path


def _answers(done, expected=b"<w:hello>"):
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == expected
    return done.stderr.decode()


@pytest.mark.parametrize("archiver", ["the original's", "ours"])
@pytest.mark.parametrize(
    ("form", "url"), [("default", "m1.mar"), ("zip-store", "m1.mar"), ("tgz", "m1.tar.gz"), ("no-archive", "m1")]
)
def test_a_model_runs_in_every_form_of_both_archivers(desk, original, wfctl, archiver, form, url):
    words = ["--model-name", "m1", "--handler", "model.py", "--version", "1.0", "--serialized-file", "weights.txt"]
    words += ["--archive-format", form]
    if archiver == "ours":
        assert wfctl("archive-model", *words, cwd=desk).returncode == 0
    else:
        original("torch-model-archiver", *words, cwd=desk)
    (desk / "flow.yaml").write_text(SPEC.format(url=url))
    assert _answers(wfctl("run", "-w", desk / "flow.yaml", desk / "input.txt")) == ""


def test_a_war_of_the_original_archiver_runs(desk, original, wfctl):
    original(
        *("torch-workflow-archiver", "--workflow-name", "flow", "--spec-file", "flow.yaml", "--handler", "flow.py"),
        cwd=desk,
    )
    _model(desk, wfctl)
    assert _answers(wfctl("run", "-w", desk / "flow.war", desk / "input.txt")) == ""


def test_a_disk_without_room_is_the_systems_fault_and_nothing_is_left(desk, wfctl, tmp_path, monkeypatch):
    (desk / "weights.txt").write_bytes(os.urandom(200_000))
    _model(desk, wfctl, "--serialized-file", "weights.txt")
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    # Files of at most 50 blocks of 1,024 bytes: the limit that needs no disk of its own.
    words = ["bash", "-c", 'ulimit -f 50; exec "$@"', "bash", BIN / "wfctl", "run", "-w", "flow.yaml", "input.txt"]
    done = subprocess.run(words, cwd=desk, capture_output=True, timeout=90)
    assert done.returncode == 4
    assert b'error[no-room]: cannot unpack "m1.mar"' in done.stderr
    assert b"TMPDIR" in done.stderr
    assert list((tmp_path / "t").iterdir()) == []


def _as_tar(war, target, folder="flow"):
    unpacked = target.with_suffix(".d")
    with zipfile.ZipFile(war) as archive:
        archive.extractall(unpacked / folder)
    with tarfile.open(target, "w:gz") as archive:
        archive.add(unpacked / folder, folder)
    return unpacked


@pytest.mark.parametrize("name", ["flow.tar.gz", "flow.tgz", "flow.war", "flow.archive", "flow"])
def test_a_workflow_is_told_by_its_content_and_not_by_its_name(desk, wfctl, tmp_path, name):
    _model(desk, wfctl)
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(desk / "m1.mar", out)
    _as_tar(_war(tmp_path / "zip", desk), out / name)
    assert _answers(wfctl("run", "--inline", "-w", out / name, desk / "input.txt")) == ""
    shutil.copy(tmp_path / "zip", out / name)
    assert _answers(wfctl("run", "--inline", "-w", out / name, desk / "input.txt")) == ""


def test_a_workflow_runs_as_a_folder_and_as_a_folder_in_a_folder(desk, wfctl, tmp_path):
    _model(desk, wfctl)
    unpacked = _as_tar(_war(tmp_path / "zip", desk), tmp_path / "flow.tar.gz")
    for folder in (unpacked / "flow", unpacked):
        done = wfctl("run", "-w", folder, "--model-store", desk, desk / "input.txt")
        assert _answers(done) == ""
        assert wfctl("validate", folder, "--model-store", desk).returncode == 0


def test_a_model_in_a_folder_in_a_folder_runs(desk, wfctl):
    _model(desk, wfctl, "--archive-format", "no-archive")
    (desk / "outer").mkdir()
    (desk / "m1").rename(desk / "outer" / "inner")
    (desk / "flow.yaml").write_text(SPEC.format(url="outer"))
    assert _answers(wfctl("run", "-w", desk / "flow.yaml", desk / "input.txt")) == ""


@pytest.mark.parametrize("form", ["default", "tgz", "no-archive"])
def test_a_model_inside_the_war_runs(desk, wfctl, tmp_path, form):
    _model(desk, wfctl, "--archive-format", form)
    url = {"default": "m1.mar", "tgz": "m1.tar.gz", "no-archive": "m1"}[form]
    (desk / "flow.yaml").write_text(SPEC.format(url=url))
    inside = desk / url
    extra = [url] if inside.is_file() else [str(each.relative_to(desk)) for each in inside.rglob("*") if each.is_file()]
    war = _war(tmp_path / "flow.war", desk, extra=extra)
    assert _answers(wfctl("run", "-w", war, desk / "input.txt")) == ""


@pytest.mark.parametrize(
    ("odd", "raw"),
    [
        ("tabs and blank lines", json.dumps(MANIFEST, indent="\t") + "\r\n\n\t\n\n"),
        ("a tab in a text", json.dumps({**MANIFEST, "description": "X"}).replace('"X"', '"a\tb"')),
        ("a byte order mark", "\ufeff" + json.dumps(MANIFEST)),
        ("unknown keys", json.dumps({**MANIFEST, "modelServerVersion": 1.0, "engine": {"name": ["x"]}})),
        ("numbers for texts", json.dumps({**MANIFEST, "archiverVersion": 0.2, "createdOn": 20201129})),
        ("no description", json.dumps({**MANIFEST, "description": None})),
    ],
)
def test_odd_manifests_are_read(desk, wfctl, tmp_path, odd, raw):
    _model(desk, wfctl)
    war = _war(tmp_path / "flow.war", desk, raw=raw)
    done = wfctl("run", "--inline", "-w", war, "--model-store", desk, desk / "input.txt")
    assert _answers(done) == "", odd


def test_what_torchserve_misses_in_a_manifest_is_told(desk, wfctl, tmp_path):
    _model(desk, wfctl)
    war = _war(tmp_path / "flow.war", desk, manifest={"workflow": MANIFEST["workflow"]})
    said = _answers(wfctl("run", "-w", war, "--model-store", desk, desk / "input.txt"))
    lines = said.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith('note: the manifest has no "archiverVersion"; TorchServe refuses the archive with "Work')
    assert "createdOn is not defined." in lines[1]
    checked = wfctl("validate", war, "--model-store", desk)
    assert checked.returncode == 0
    assert checked.stdout.count(b"WF908") == 2


def test_an_archive_without_a_name_has_that_of_its_file(desk, wfctl, tmp_path):
    import wfctl as door

    _model(desk, wfctl)
    unnamed = {key: value for key, value in MANIFEST["workflow"].items() if key != "workflowName"}
    war = _war(tmp_path / "some flow.war", desk, manifest={**MANIFEST, "workflow": unnamed})
    with door.open_deployment(war, model_store=desk) as opened:
        assert opened.name == "some_flow"
        (note,) = [found.message for found in opened.report if found.code == "WF908"]
    assert note.endswith(
        'no "workflow.workflowName"; TorchServe refuses the archive with "Workflow name is not defined."'
    )


def test_a_war_without_functions_needs_no_handler(desk, wfctl, tmp_path):
    _model(desk, wfctl)
    (desk / "flow.yaml").write_text("models:\n  m1: {url: m1.mar}\ndag:\n  m1: []\n")
    workflow = {"workflowName": "flow", "specFile": "flow.yaml"}
    war = tmp_path / "flow.war"
    with zipfile.ZipFile(war, "w") as archive:
        archive.writestr("WAR-INF/MANIFEST.json", json.dumps({**MANIFEST, "workflow": workflow}))
        archive.write(desk / "flow.yaml", "flow.yaml")
    (desk / "input.bin").write_bytes(b"raw")
    assert _answers(wfctl("run", "-w", war, "--model-store", desk, desk / "input.bin"), b"w:raw") == ""


@pytest.mark.parametrize(
    ("runtime", "words"),
    [("java", 'the manifest names the runtime "java"'), (None, "an empty runtime"), ("LSP", "is for the C++ runtime")],
)
def test_a_runtime_that_is_not_python_is_named_before_anything_starts(desk, wfctl, runtime, words):
    manifest = {"runtime": runtime, "model": {"modelName": "m1", "handler": "model.py"}}
    with zipfile.ZipFile(desk / "m1.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
        archive.write(desk / "model.py", "model.py")
    done = wfctl("run", "-w", desk / "flow.yaml", desk / "input.txt")
    assert done.returncode == 1
    assert words in done.stderr.decode()
    checked = wfctl("validate", desk / "flow.yaml", "--handler", desk / "flow.py")
    assert checked.returncode == 1
    assert b"WF512" in checked.stdout


def test_the_configuration_reaches_the_handler_and_the_server_and_both_are_told(desk, wfctl):
    (desk / "c.yaml").write_text(
        "word: 'and '\nminWorkers: two\nbatchSize: 4\nparallelType: tp\nresponseTimeout: 9\ndeviceIds: [64]\nstartupTimeout: 60\n"
    )
    _model(desk, wfctl, "--config-file", "c.yaml")
    said = _answers(wfctl("run", "-w", desk / "flow.yaml", desk / "input.txt"), b"<w:and hello>")
    kinds = sorted((line.partition(":")[0], line[-7:]) for line in said.splitlines())
    assert kinds == [("note", "[WF509]"), ("warning", "[WF508]"), ("warning", "[WF511]"), ("warning", "[WF513]")]
    assert '"minWorkers" in "c.yaml" of model "m1" is text, not a whole number; it is ignored' in said
    checked = wfctl("validate", desk / "flow.yaml", "--output-format", "json")
    assert checked.returncode == 1
    assert all(code in checked.stdout for code in (b"WF508", b"WF509", b"WF511"))
    assert b"WF513" not in checked.stdout  # what a machine lacks is no fault of the archive


def test_a_configuration_that_cannot_be_read_is_named_before_anything_starts(desk, wfctl):
    (desk / "c.yaml").write_text("minWorkers: [\n")
    _model(desk, wfctl, "--config-file", "c.yaml")
    done = wfctl("run", "-w", desk / "flow.yaml", desk / "input.txt")
    assert done.returncode == 1
    assert 'the configuration "c.yaml" of model "m1" cannot be read' in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_the_archives_own_time_for_loading_beats_that_of_the_command(desk, wfctl):
    (desk / "model.py").write_text("import signal\nsignal.pause()\n")
    (desk / "c.yaml").write_text("startupTimeout: 1\n")
    _model(desk, wfctl, "--config-file", "c.yaml")
    done = wfctl("run", "-w", desk / "flow.yaml", "--startup-timeout", "60", desk / "input.txt")
    assert done.returncode == 4
    assert 'node "m1" was not ready after 1 s' in done.stderr.decode()
    assert "startupTimeout in its model-config.yaml" in done.stderr.decode()


def test_a_script_of_both_archivers_runs_by_two_aliases(desk, wfctl):
    script = """\
torch-model-archiver --model-name m1 --version 1.0 --handler model.py --serialized-file weights.txt \\
    --export-path store --archive-format default -f
torch-workflow-archiver -f --workflow-name flow --spec-file flow.yaml --handler flow.py
torch-model-archiver --model-name m1 --version 1.0 --handler model.py --export-path store 2>/dev/null || echo kept
"""
    (desk / "pack.sh").write_text(script)
    aliases = "shopt -s expand_aliases\nalias torch-model-archiver='wfctl archive-model'\n"
    aliases += "alias torch-workflow-archiver='wfctl archive'\n"
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    argv = ["bash", "-eu", "-c", f"{aliases}. ./pack.sh"]
    done = subprocess.run(argv, cwd=desk, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "kept\n"), done.stderr
    assert _answers(wfctl("run", "-w", desk / "flow.war", "--model-store", desk / "store", desk / "input.txt")) == ""
