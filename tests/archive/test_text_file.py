"""Texts are read from files, and from nothing that keeps a reader waiting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wfctl.archive.text_file import read_text_file
from wfctl.errors import UnreadableInputError
from wfctl.spec.text import MAX_BYTES


def test_a_file_is_read(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"dag:\n")
    assert read_text_file(tmp_path / "a.yaml") == b"dag:\n"


@pytest.mark.timeout(10)
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(UnreadableInputError, match="no plain file"):
        read_text_file(tmp_path / "a.yaml")


@pytest.mark.timeout(10)
def test_an_endless_device_is_read_to_the_limit():
    assert len(read_text_file(Path("/dev/zero"))) == MAX_BYTES + 1


@pytest.mark.timeout(30)
def test_a_pipe_that_is_open_already_is_read_when_its_writer_is_done():
    reader, writer = os.pipe()
    program = f"import os; os.write({writer}, b'dag:'); os.write({writer}, b' {{}}')"
    child = subprocess.Popen([sys.executable, "-c", program], pass_fds=[writer])
    os.close(writer)
    try:
        assert read_text_file(Path(f"/dev/fd/{reader}")) == b"dag: {}"
    finally:
        os.close(reader)
        assert child.wait() == 0


@pytest.mark.parametrize("name", ["missing.yaml", "a" * 300, "folder"])
def test_what_cannot_be_read_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnreadableInputError, match=name[:20]):
        read_text_file(tmp_path / name)
