"""What is watched for changes beside a handler."""

import os
from pathlib import Path

import pytest

from wfctl.service.prepare import Request, prepare
from wfctl.service.stamps import _MOST_FILES, python_files, stamp_of

HANDLER = "def a(data, context): return data\n"


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("X = 1\n")


def names_in(folder):
    found = python_files(folder)
    assert list(found) == sorted(found)
    return [str(each.relative_to(folder)) for each in found]


@pytest.fixture
def made_from(workflow):
    """Return a function that says what a node of functions was made from, below its folder."""
    folder = workflow("dag: {a: []}\n", HANDLER)

    def found(**more):
        prepared = prepare(Request(path=folder, **more))
        prepared.remove()
        return prepared.made_from["a"], prepared.stamps["a"]

    found.folder = folder
    return found


def test_helpers_in_folders_below_the_handler_are_watched(made_from):
    folder = made_from.folder
    put(folder, "help.py", "sub/__init__.py", "sub/deep/er/m.py", "sub/data.json", "sub/__pycache__/m.py")
    names = ["handler.py", "help.py", "sub/__init__.py", "sub/deep/er/m.py"]
    paths, before = made_from()
    assert [str(path.relative_to(folder)) for path in paths] == names
    os.utime(folder / "sub/deep/er/m.py", ns=(1, 1))
    assert stamp_of(paths) != before


def test_what_is_hidden_or_linked_to_is_not_gone_into(tmp_path):
    folder = tmp_path / "flow"
    put(folder, "handler.py", ".venv/lib/a.py", ".git/b.py", "__pycache__/c.py", "d.pyc", "e.py.txt", "sub/f.py")
    put(tmp_path, "outside/g.py")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "sub" / "round").symlink_to(folder)
    assert names_in(folder) == ["handler.py", "sub/f.py"]


def test_a_file_that_is_a_link_is_watched_where_it_leads(tmp_path):
    put(tmp_path, "outside.py")
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "handler.py").symlink_to(tmp_path / "outside.py")
    assert names_in(folder) == ["handler.py"]
    before = stamp_of(python_files(folder))
    (tmp_path / "outside.py").write_text("longer than before\n")
    assert stamp_of(python_files(folder)) != before


def test_of_very_many_files_the_nearest_are_watched(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    for at in range(_MOST_FILES + 50):
        (deep / f"m{at}.py").touch()
    put(tmp_path, "handler.py", "z/near.py", "a/near.py")
    found = names_in(tmp_path)
    assert len(found) == _MOST_FILES
    assert {"handler.py", "z/near.py", "a/near.py"} <= set(found)


def test_folders_without_end_are_not_walked_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("wfctl.service.stamps._MOST_FOLDERS", 10)
    for at in range(30):
        put(tmp_path, f"f{at:02}/m.py")
    put(tmp_path, "handler.py")
    assert names_in(tmp_path) == [*(f"f{at:02}/m.py" for at in range(9)), "handler.py"]


def test_a_folder_that_cannot_be_read_or_is_gone_has_none(tmp_path):
    assert python_files(tmp_path / "gone") == ()
    put(tmp_path, "handler.py", "closed/m.py")
    (tmp_path / "closed").chmod(0)
    try:
        assert "handler.py" in names_in(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_file_that_changed_while_it_was_read_looks_changed(tmp_path):
    put(tmp_path, "a.py")
    changed = (tmp_path / "a.py").stat().st_mtime_ns
    paths = [Path(tmp_path, "a.py"), tmp_path / "gone.py"]
    assert stamp_of(paths) == stamp_of(paths, read_from_ns=changed + 1)
    assert stamp_of(paths) != stamp_of(paths, read_from_ns=changed)
