"""What archives say of themselves, looked at without unpacking anything."""

import os
import zipfile

import pytest

from wfctl.archive.inside import look_inside
from wfctl.archive.mar import ArchiveFormat, plan_model, write_mar, write_model


@pytest.fixture
def parts(tmp_path):
    (tmp_path / "handler.py").write_text("def handle(data, context): ...\n")
    (tmp_path / "c.yaml").write_text("minWorkers: 2\nmaxWorkers: 3\n")
    (tmp_path / "r.txt").write_text("a-package-that-nobody-has\n")
    return {
        "handler": tmp_path / "handler.py",
        "config_file": tmp_path / "c.yaml",
        "requirements_file": tmp_path / "r.txt",
    }


@pytest.mark.parametrize("form", [ArchiveFormat.DEFAULT, ArchiveFormat.ZIP_STORE, ArchiveFormat.NO_ARCHIVE])
def test_zips_and_folders_are_looked_into(parts, tmp_path, form):
    target = tmp_path / f"m{form.ending}"
    write_model(target, plan_model(model_name="m", **parts), form, model_name="m")
    inside = look_inside(target)
    assert (inside.config_file, inside.config.workers, inside.config_fault) == ("c.yaml", (2, 3), None)
    assert (inside.requirements_file, inside.unmet) == ("r.txt", ())
    assert [each.text for each in look_inside(target, judges_requirements=True).unmet] == ["a-package-that-nobody-has"]


def test_a_tar_is_left_alone_for_all_of_it_would_be_unpacked(parts, tmp_path):
    target = tmp_path / "m.tar.gz"
    write_model(target, plan_model(model_name="m", **parts), ArchiveFormat.TGZ, model_name="m")
    assert look_inside(target) is None


def test_what_is_no_archive_says_nothing_and_nobody_waits(tmp_path):
    (tmp_path / "empty.mar").touch()
    (tmp_path / "text.mar").write_text("PK? no")
    (tmp_path / "broken.mar").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.mar")
    with zipfile.ZipFile(tmp_path / "bare.mar", "w") as archive:
        archive.writestr("handler.py", "")
    with zipfile.ZipFile(tmp_path / "bad.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", "{")
    names = ("empty.mar", "text.mar", "broken.mar", "folder", "pipe.mar", "bare.mar", "bad.mar", "absent.mar")
    assert [look_inside(tmp_path / name) for name in names] == [None] * len(names)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"a: [", "the bracket [ is never closed"),
        (b"- 1\n", "must be a mapping"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"!!python/object:os.system {}", "the YAML cannot be used"),
        (b"a: " + b"x" * (5 << 20), "bytes long"),
    ],
)
def test_a_configuration_that_cannot_be_read_says_why(parts, tmp_path, text, fault):
    parts["config_file"].write_bytes(text)
    assert fault in look_inside(write_mar(tmp_path / "m.mar", model_name="m", **parts)).config_fault


def test_a_configuration_that_is_named_and_not_there_is_a_fault(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", '{"model": {"configFile": "c.yaml"}}')
    assert look_inside(tmp_path / "m.mar").config_fault == "it is not in the archive"
