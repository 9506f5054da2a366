import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest

from wfctl.archive.manifest import UNDATED
from wfctl.archive.pack import write_archive
from wfctl.archive.read_sources import read_sources
from wfctl.archive.unpack import list_members
from wfctl.archive.war import created_on, extra_members, folder_members, plan_workflow
from wfctl.errors import ArchiveError, UnreadableInputError

ROOT = Path(__file__).parent.parent.parent
SPEC = "# the flow\nmodels:\n  m1: {url: m1.mar}\ndag:\n  pre: [m1]\n  m1: [post]\n"
HANDLER = "def pre(data, context): ...\ndef post(data, context): ...\n"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "flow"
    (path / "labels" / "deep").mkdir(parents=True)
    (path / "workflow.yaml").write_text(SPEC)
    (path / "handler.py").write_text(HANDLER)
    (path / "labels" / "names.json").write_text("{}")
    (path / "labels" / "deep" / "x.txt").write_text("x")
    return path


def _plan(folder, **more):
    read = read_sources(folder)
    but = [read.spec_path, read.handler_path]
    return plan_workflow(read, extra=folder_members(folder, but=but), **more)


def _names(plan):
    return [member.name for member in plan.members]


def test_a_folder_is_packed_with_everything_that_belongs_to_it(folder):
    for litter in (".git", "__pycache__", "venv", "model"):
        (folder / litter).mkdir()
        (folder / litter / "x").write_text("x")
    (folder / "venv" / "pyvenv.cfg").write_text("home = /usr")
    (folder / "model" / "MAR-INF").mkdir()
    (folder / "model" / "MAR-INF" / "MANIFEST.json").write_text("{}")
    for litter in (".DS_Store", "old.war", "m1.mar", "handler.pyc", "handler.py~"):
        (folder / litter).write_text("x")
    assert _names(_plan(folder)) == [
        "WAR-INF/MANIFEST.json",
        "handler.py",
        "labels/deep/x.txt",
        "labels/names.json",
        "workflow.yaml",
    ]


def test_patterns_leave_files_and_folders_out(folder):
    for pattern in ("labels", "labels/", "lab*"):
        assert "labels/names.json" not in _names_without(folder, pattern)
    assert _names_without(folder, "*.txt") == ["handler.py", "labels/names.json", "workflow.yaml"]
    assert _names_without(folder, "labels/*.json") == ["handler.py", "labels/deep/x.txt", "workflow.yaml"]


def _names_without(folder, pattern):
    return [member.name for member in folder_members(folder, but=[], patterns=[pattern])]


def test_the_manifest_fits_its_published_schema(folder, tmp_path):
    schema = json.loads((ROOT / "schemas" / "war-manifest.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    write_archive(tmp_path / "a.war", _plan(folder, name="a"))
    with zipfile.ZipFile(tmp_path / "a.war") as archive:
        manifest = json.loads(archive.read("WAR-INF/MANIFEST.json"))
    validator.validate(manifest)
    assert manifest["workflow"] == {"workflowName": "a", "specFile": "workflow.yaml", "handler": "handler.py"}
    assert manifest["createdOn"] == UNDATED
    for example in schema["examples"]:
        validator.validate(example)
    for key, bad in [("specFile", "../../x"), ("specFile", "/x"), ("handler", "a.py:f"), ("workflowName", "a b")]:
        broken = {**manifest, "workflow": {**manifest["workflow"], key: bad}}
        assert not validator.is_valid(broken), (key, bad)


def test_another_process_day_zone_mask_and_folder_give_the_same_bytes(folder, tmp_path):
    write_archive(tmp_path / "here.war", _plan(folder))
    for path in folder.rglob("*"):
        os.utime(path, (86_400, 86_400))
    script = (
        "import os; os.umask(0o077)\n"
        "from pathlib import Path\n"
        "from wfctl.archive.pack import write_archive\n"
        "from wfctl.archive.read_sources import read_sources\n"
        "from wfctl.archive.war import folder_members, plan_workflow\n"
        "read = read_sources(Path())\n"
        "extra = list(folder_members(Path(), but=[read.spec_path, read.handler_path]))\n"
        "write_archive(Path('../there.war'), plan_workflow(read, extra=reversed(extra)))\n"
    )
    env = {**os.environ, "TZ": "Asia/Kathmandu", "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "11", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=folder, env=env)
    assert (tmp_path / "there.war").read_bytes() == (tmp_path / "here.war").read_bytes()


def test_every_header_is_fixed(folder, tmp_path):
    write_archive(tmp_path / "a.war", _plan(folder))
    with zipfile.ZipFile(tmp_path / "a.war") as archive:
        for info in archive.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert (info.create_system, info.external_attr >> 16, info.extra) == (3, 0o100644, b"")
            assert info.compress_type == zipfile.ZIP_STORED


def test_the_date_is_written_as_the_original_does_and_in_utc():
    assert created_on(1_600_000_000) == "13/09/2020 12:26:40"
    assert created_on(None) == "01/01/1980 00:00:00"


def test_two_files_with_one_name_are_refused_with_both_paths(folder, tmp_path):
    (tmp_path / "handler.py").write_text("other")
    with pytest.raises(ArchiveError, match=r'two files would both be "handler.py"') as caught:
        plan_workflow(read_sources(folder), extra=extra_members([tmp_path / "handler.py"]))
    assert str(tmp_path / "handler.py") in caught.value.message


def test_names_that_differ_only_in_case_are_refused(folder, tmp_path):
    (tmp_path / "Handler.py").write_text("other")
    with pytest.raises(ArchiveError, match="differ only in case"):
        plan_workflow(read_sources(folder), extra=extra_members([tmp_path / "Handler.py"]))


def test_folders_of_extra_files_stay_folders(folder):
    plan = plan_workflow(read_sources(folder), extra=extra_members([folder / "labels", folder / "handler.py"][:1]))
    assert "labels/deep/x.txt" in _names(plan)


def test_a_workflow_without_functions_needs_no_handler(tmp_path):
    (tmp_path / "w.yaml").write_text("models:\n  m: {url: m.mar}\ndag: {m: []}\n")
    plan = plan_workflow(read_sources(tmp_path / "w.yaml"))
    assert _names(plan) == ["WAR-INF/MANIFEST.json", "w.yaml"]
    assert b"handler" not in plan.members[0].source


def test_what_was_checked_is_what_is_packed(folder, tmp_path):
    plan = _plan(folder)
    (folder / "workflow.yaml").write_text("changed")
    (folder / "handler.py").write_text("changed")
    write_archive(tmp_path / "a.war", plan)
    with zipfile.ZipFile(tmp_path / "a.war") as archive:
        assert archive.read("workflow.yaml").decode() == SPEC
        assert archive.read("handler.py").decode() == HANDLER


def test_a_file_that_grows_while_it_is_packed_is_refused(folder, tmp_path):
    plan = _plan(folder)
    (folder / "labels" / "names.json").write_text("{} and more")
    with pytest.raises(ArchiveError, match=r'names\.json" changed while it was packed'):
        write_archive(tmp_path / "a.war", plan)
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_an_archive_packed_unpacked_and_packed_again_is_the_same(folder, tmp_path):
    write_archive(tmp_path / "a.war", _plan(folder))
    with zipfile.ZipFile(tmp_path / "a.war") as archive:
        archive.extractall(tmp_path / "again")
    write_archive(tmp_path / "b.war", _plan(tmp_path / "again"))
    assert (tmp_path / "a.war").read_bytes() == (tmp_path / "b.war").read_bytes()


def test_our_archive_passes_our_own_door(folder, tmp_path):
    for compress in (False, True):
        path = tmp_path / f"{compress}.war"
        write_archive(path, _plan(folder), compress=compress)
        assert [member.name for member in list_members(path)] == _names(_plan(folder))
        assert read_sources(path).sources.spec.text == SPEC


def test_links_that_go_in_circles_or_nowhere_are_refused_by_name(folder):
    (folder / "circle").symlink_to("circle")
    with pytest.raises(UnreadableInputError, match="circle"):
        _plan(folder)
    (folder / "circle").unlink()
    (folder / "nowhere").symlink_to("missing")
    with pytest.raises(UnreadableInputError, match="nowhere"):
        _plan(folder)
