"""A file is replaced whole; what is no file is never replaced."""

import os
import stat

import pytest

from wfctl.replace_file import replace_file


def test_a_file_is_replaced_and_keeps_its_rights(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o640)
    replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.timeout(10)
def test_a_pipe_is_written_to_and_stays(tmp_path):
    os.mkfifo(tmp_path / "a")
    reader = os.open(tmp_path / "a", os.O_RDONLY | os.O_NONBLOCK)
    try:
        replace_file(tmp_path / "a", b"new")
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "a").stat().st_mode)


def test_the_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "link").symlink_to("a")
    replace_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_text() == "new"


def test_a_device_stays_a_device(tmp_path):
    # A device of the test's own where the system lets it be made; never one of the machine's.
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root may make devices")
    replace_file(device, b"new")
    assert stat.S_ISCHR(device.stat().st_mode)
