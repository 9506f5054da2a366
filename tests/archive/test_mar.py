import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from wfctl.archive.manifest import MAR_MANIFEST, parse_mar_manifest
from wfctl.archive.mar import write_mar
from wfctl.errors import ArchiveError, UnreadableInputError


@pytest.fixture
def model_folder(tmp_path):
    folder = tmp_path / "model"
    (folder / "labels").mkdir(parents=True)
    (folder / "handler.py").write_text("def handle(data, context):\n    return data\n")
    (folder / "weights.pt").write_bytes(os.urandom(4096))
    (folder / "net.py").write_text("class Net: ...\n")
    (folder / "model-config.yaml").write_text("handler: {}\n")
    (folder / "labels" / "index_to_name.json").write_text("{}")
    (folder / "labels" / "deep").mkdir()
    (folder / "labels" / "deep" / "more.txt").write_text("more")
    return folder


def _write(folder, target, **more):
    return write_mar(
        target,
        model_name="m1",
        handler=folder / "handler.py",
        serialized_file=folder / "weights.pt",
        model_file=folder / "net.py",
        config_file=folder / "model-config.yaml",
        extra_files=[folder / "labels"],
        **more,
    )


def test_a_mar_holds_its_files_at_the_root_and_a_manifest(model_folder, tmp_path):
    path = _write(model_folder, tmp_path / "m1.mar")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "MAR-INF/MANIFEST.json",
            "deep/more.txt",
            "handler.py",
            "index_to_name.json",
            "model-config.yaml",
            "net.py",
            "weights.pt",
        ]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        manifest = parse_mar_manifest(archive.read(MAR_MANIFEST))
    assert manifest.model_name == "m1"
    assert manifest.model_version == "1.0"
    assert manifest.handler == "handler.py"
    assert manifest.serialized_file == "weights.pt"
    assert manifest.model_file == "net.py"
    assert manifest.config_file == "model-config.yaml"
    assert manifest.created_on == "01/01/1980 00:00:00"


def test_two_writes_on_two_days_give_the_same_bytes(model_folder, tmp_path):
    first = _write(model_folder, tmp_path / "first.mar").read_bytes()
    for path in model_folder.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700)
    assert _write(model_folder, tmp_path / "second.mar").read_bytes() == first


def test_another_process_elsewhere_writes_the_same_bytes(model_folder, tmp_path):
    here = _write(model_folder, tmp_path / "here.mar").read_bytes()
    script = (
        "import os, sys; os.umask(0o077); os.chdir('model')\n"
        "from pathlib import Path\n"
        "from wfctl.archive.mar import write_mar\n"
        "write_mar(Path('../there.mar'), model_name='m1', handler='handler.py', serialized_file=Path('weights.pt'),\n"
        "  model_file=Path('net.py'), config_file=Path('model-config.yaml'), extra_files=[Path('labels')])\n"
    )
    env = {**os.environ, "TZ": "Pacific/Auckland", "PYTHONPATH": str(Path.cwd()), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=env)
    assert (tmp_path / "there.mar").read_bytes() == here


def test_a_built_in_handler_is_named_and_not_packed(model_folder, tmp_path):
    path = write_mar(tmp_path / "m.mar", model_name="m", handler="image_classifier")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [MAR_MANIFEST]
        assert json.loads(archive.read(MAR_MANIFEST))["model"]["handler"] == "image_classifier"


@pytest.mark.parametrize("suffix", ["", ".py", ":entry", ".py:entry"])
def test_a_handler_may_name_a_function_or_leave_out_the_ending(model_folder, tmp_path, suffix):
    path = write_mar(tmp_path / "m.mar", model_name="m", handler=f"{model_folder}/handler{suffix}")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [MAR_MANIFEST, "handler.py"]
        assert parse_mar_manifest(archive.read(MAR_MANIFEST)).handler == f"handler{suffix}"


def test_two_files_of_one_name_are_refused_and_nothing_is_left(model_folder, tmp_path):
    (model_folder / "labels" / "net.py").write_text("other")
    with pytest.raises(ArchiveError, match=r'two files would both be "net.py"') as caught:
        _write(model_folder, tmp_path / "m1.mar")
    assert str(model_folder / "net.py") in caught.value.message
    assert str(model_folder / "labels" / "net.py") in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_existing_archive_is_kept_unless_overwriting_is_asked_for(model_folder, tmp_path):
    target = tmp_path / "m1.mar"
    target.write_text("mine")
    with pytest.raises(ArchiveError, match="already exists") as caught:
        _write(model_folder, target)
    assert "--force" in caught.value.hint
    assert target.read_text() == "mine"
    _write(model_folder, target, overwrite=True)
    assert zipfile.is_zipfile(target)


def test_a_missing_file_leaves_no_half_archive(model_folder, tmp_path):
    (model_folder / "weights.pt").unlink()
    with pytest.raises(UnreadableInputError, match="cannot read"):
        _write(model_folder, tmp_path / "m1.mar")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_interrupt_leaves_no_half_archive(model_folder, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("wfctl.archive.pack._write_member", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _write(model_folder, tmp_path / "m1.mar")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_archive_gets_the_mode_of_any_new_file(model_folder, tmp_path):
    before = os.umask(0o027)
    try:
        path = _write(model_folder, tmp_path / "m1.mar")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_compression_is_a_choice_and_smaller(model_folder, tmp_path):
    (model_folder / "weights.pt").write_bytes(b"0" * 100_000)
    stored = _write(model_folder, tmp_path / "stored.mar")
    packed = _write(model_folder, tmp_path / "packed.mar", compress=True)
    assert packed.stat().st_size < stored.stat().st_size / 10
    digest = hashlib.sha256
    with zipfile.ZipFile(stored) as one, zipfile.ZipFile(packed) as other:
        assert digest(one.read("weights.pt")).digest() == digest(other.read("weights.pt")).digest()


def test_a_link_out_of_an_extra_folder_is_refused(model_folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s")
    Path(model_folder / "labels" / "link").symlink_to(secret)
    with pytest.raises(ArchiveError, match="outside the folder"):
        _write(model_folder, tmp_path / "m1.mar")


def test_a_pipe_among_the_files_is_refused_without_waiting(model_folder, tmp_path):
    os.mkfifo(model_folder / "labels" / "pipe")
    with pytest.raises(UnreadableInputError, match="no plain file"):
        _write(model_folder, tmp_path / "m1.mar")
