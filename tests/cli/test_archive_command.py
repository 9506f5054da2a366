import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from wfctl.archive.mar import write_mar

SPEC = "models:\n  m1:\n    url: m1.mar\ndag:\n  pre: [m1]\n  m1: [post]\n"
HANDLER = """\
def pre(data, context):
    return data if data is None else ["x"]


def post(data, context):
    return data if data is None else ["y"]
"""


@pytest.fixture
def flow(tmp_path):
    folder = tmp_path / "flow"
    (folder / "labels").mkdir(parents=True)
    (folder / "workflow.yaml").write_text(SPEC)
    (folder / "handler.py").write_text(HANDLER)
    (folder / "labels" / "names.json").write_text("{}")
    write_mar(folder / "m1.mar", model_name="m1", handler="base_handler")
    return folder


def _names(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _contents(path):
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in archive.namelist()]


def _manifest(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("WAR-INF/MANIFEST.json"))


def test_a_folder_becomes_an_archive_of_its_name(cli, flow, tmp_path):
    done = cli("archive", "flow")
    assert (done.code, done.out) == (0, "")
    assert _names(tmp_path / "flow.war") == [
        "WAR-INF/MANIFEST.json",
        "handler.py",
        "labels/names.json",
        "workflow.yaml",
    ]
    digest = hashlib.sha256((tmp_path / "flow.war").read_bytes()).hexdigest()
    size = sum(map(len, _contents(tmp_path / "flow.war")))
    assert done.err.splitlines() == [
        f"wrote flow.war: 4 members, {size} B",
        f"sha256 {digest}",
        "not inside: m1.mar; take them along, or put them inside with --embed-models",
    ]


def test_the_current_folder_is_the_default(cli, flow, tmp_path):
    assert cli("archive", cwd=flow).code == 0
    assert "flow.war" not in _names(flow / "flow.war")
    assert cli("archive", "-f", cwd=flow).code == 0
    assert "flow.war" not in _names(flow / "flow.war")


def test_the_options_of_the_original_archiver_do_what_they_did(cli, flow, tmp_path):
    (flow / "extra.txt").write_text("x")
    (tmp_path / "out").mkdir()
    words = ["--workflow-name", "wf", "--spec-file", "workflow.yaml", "--handler", "handler.py"]
    done = cli(
        "archive", *words, "--extra-files", "extra.txt, labels,handler.py", "--export-path", tmp_path / "out", cwd=flow
    )
    assert done.code == 0, done.err
    path = tmp_path / "out" / "wf.war"
    assert _names(path) == ["WAR-INF/MANIFEST.json", "extra.txt", "handler.py", "labels/names.json", "workflow.yaml"]
    assert _manifest(path)["workflow"] == {
        "workflowName": "wf",
        "specFile": "workflow.yaml",
        "handler": "handler.py",
    }


def test_an_archive_of_the_original_archiver_holds_the_same_files(cli, flow, tmp_path):
    words = ["--workflow-name", "wf", "--spec-file", "workflow.yaml", "--handler", "handler.py"]
    (tmp_path / "theirs").mkdir()
    (tmp_path / "t").mkdir()
    original = Path(sys.executable).parent / "torch-workflow-archiver"
    command = [original, *words, "--export-path", tmp_path / "theirs"]
    subprocess.run(command, cwd=flow, check=True, env={**os.environ, "TMPDIR": str(tmp_path / "t")})
    assert cli("archive", *words, "--export-path", tmp_path, cwd=flow).code == 0
    theirs, ours = tmp_path / "theirs" / "wf.war", tmp_path / "wf.war"
    assert sorted(_names(theirs)) == _names(ours)
    assert _manifest(theirs).keys() == _manifest(ours).keys()
    assert _manifest(theirs)["workflow"] == _manifest(ours)["workflow"]


def test_an_existing_archive_is_kept_without_force(cli, flow, tmp_path):
    (tmp_path / "flow.war").write_text("mine")
    done = cli("archive", "flow")
    assert done.code == 1
    assert '"flow.war" already exists' in done.err
    assert "--force/-f" in done.err
    assert "--help" in done.err
    assert (tmp_path / "flow.war").read_text() == "mine"
    done = cli("archive", "flow", "--force")
    assert done.code == 0
    assert done.err.startswith("overwriting flow.war\n")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["flow", "--workflow-name", "a b"], 1, 'the workflow name "a b" contains special characters'),
        (["flow", "--workflow-name", "flow\n"], 1, "contains special characters"),
        (["flow", "--export-path", "nowhere"], 1, 'the export path "nowhere" is not a folder'),
        (["--spec-file", "absent.yaml"], 1, 'cannot read "absent.yaml"'),
        (["flow", "--handler", "absent.py"], 1, 'cannot read "absent.py"'),
        (["flow", "--extra-files", "absent.txt"], 1, 'cannot read "absent.txt"'),
        (["flow", "--spec-file", "flow/workflow.yaml"], 2, "give a FOLDER or --spec-file, not both"),
        (["flow", "--nonsense"], 2, "No such option"),
        (["flow/m1.mar"], 1, "archive of a model"),
        ([], 2, "the current folder holds no workflow"),
    ],
)
def test_a_mistake_is_named_and_writes_nothing(cli, flow, tmp_path, words, code, text):
    before = sorted(tmp_path.rglob("*"))
    done = cli("archive", *words)
    assert done.code == code
    assert text in done.err
    assert "Traceback" not in done.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_workflow_with_errors_is_shown_and_not_packed(cli, flow, tmp_path):
    (flow / "workflow.yaml").write_text("dag:\n  pre: [psot]\n  psot: [pre]\n")
    done = cli("archive", "flow")
    assert done.code == 1
    assert "WF301" in done.err
    assert not (tmp_path / "flow.war").exists()
    done = cli("archive", "flow", "--no-check")
    assert done.code == 0
    assert "workflow.yaml" in _names(tmp_path / "flow.war")


def test_warnings_are_shown_and_the_archive_is_written(cli, flow, tmp_path):
    (flow / "workflow.yaml").write_text("models:\n  m1: {url: m1.mar}\n  m2: {url: m2.mar}\ndag:\n  m1: [post]\n")
    done = cli("archive", "flow")
    assert done.code == 0
    assert "WF307" in done.err
    assert (tmp_path / "flow.war").exists()


def test_a_dry_run_lists_the_members_and_writes_nothing(cli, flow, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    done = cli("archive", "flow", "--dry-run")
    assert done.code == 0
    assert [line.split()[-1] for line in done.out.splitlines()] == [
        "WAR-INF/MANIFEST.json",
        "handler.py",
        "labels/names.json",
        "workflow.yaml",
    ]
    assert re.fullmatch(r"would write flow\.war: 4 members, \d+ B\n", done.err)
    assert sorted(tmp_path.rglob("*")) == before


def test_two_archives_are_the_same_and_the_date_is_asked_of_the_environment(cli, flow, tmp_path):
    digests = []
    for name, env in [("a", {}), ("b", {"TZ": "Asia/Tokyo"}), ("c", {"SOURCE_DATE_EPOCH": "1600000000"})]:
        (tmp_path / name).mkdir()
        assert cli("archive", "flow", "--export-path", name, env=env).code == 0
        digests.append(hashlib.sha256((tmp_path / name / "flow.war").read_bytes()).hexdigest())
        for path in flow.rglob("*"):
            os.utime(path, (1, 1))
    assert digests[0] == digests[1] != digests[2]
    assert _manifest(tmp_path / "a" / "flow.war")["createdOn"] == "01/01/1980 00:00:00"
    assert _manifest(tmp_path / "c" / "flow.war")["createdOn"] == "13/09/2020 12:26:40"


def test_embedded_models_are_inside_and_pinned(cli, flow, tmp_path):
    digest = hashlib.sha256((flow / "m1.mar").read_bytes()).hexdigest()
    assert cli("archive", "flow", "--embed-models").code == 0
    with zipfile.ZipFile(tmp_path / "flow.war") as archive:
        assert "models/m1.mar" in archive.namelist()
        spec = archive.read("workflow.yaml").decode()
    assert spec == SPEC.replace("url: m1.mar", f'url: models/m1.mar\n    sha256: "{digest}"')
    assert (flow / "workflow.yaml").read_text() == SPEC
    done = cli("inspect", "flow.war", "--json")
    nodes = {node["name"]: node["where"] for node in json.loads(done.out)["nodes"]}
    assert nodes["m1"] == "inside, models/m1.mar"


def test_a_model_to_embed_is_found_in_the_store_or_named(cli, flow, tmp_path):
    (tmp_path / "store").mkdir()
    (flow / "m1.mar").rename(tmp_path / "store" / "m1.mar")
    done = cli("archive", "flow", "--embed-models")
    assert done.code == 1
    assert "m1.mar" in done.err
    assert cli("archive", "flow", "--embed-models", "--model-store", "store").code == 0
    assert "models/m1.mar" in _names(tmp_path / "flow.war")


def test_compression_says_what_it_costs(cli, flow, tmp_path):
    done = cli("archive", "flow", "--compress")
    assert done.code == 0
    assert "compressed: another version of zlib may give other bytes" in done.err
    with zipfile.ZipFile(tmp_path / "flow.war") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_DEFLATED}


def test_an_interrupt_while_writing_leaves_no_half_file(flow, tmp_path):
    # So large (and empty on the disk) that it cannot be packed before the signal.
    with (flow / "big.bin").open("wb") as sink:
        sink.truncate(8 << 30)
    command = [sys.executable, "-m", "wfctl", "archive", "flow"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, env=os.environ.copy()) as child:
        while not list(tmp_path.glob(".flow.war.*.part")):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["flow"]


def test_a_name_from_a_hostile_folder_cannot_reprogram_the_terminal(cli, flow, tmp_path):
    (flow / "evil\x1b[31m.txt").write_text("x")
    done = cli("archive", "flow", "--dry-run")
    assert "\x1b" not in done.out + done.err
    assert done.code == 1
    assert "control character" in done.err
