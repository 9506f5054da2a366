"""A file comes in private and is kept whole; what a killed process left is cleared away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wfctl.errors import Blame, FetchError
from wfctl.store.keep import Partial, kept, partial_file

DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of "hello"


def test_a_file_that_is_not_kept_is_gone(tmp_path: Path) -> None:
    def interrupted() -> None:
        with partial_file(tmp_path / "new") as partial:
            partial.write(b"hel")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list((tmp_path / "new").iterdir()) == []


def test_only_a_whole_file_of_that_digest_is_found_again(tmp_path: Path) -> None:
    with partial_file(tmp_path) as partial:
        partial.write(b"hello")
        path = partial.keep_as(f"{DIGEST}.mar")
    assert kept(tmp_path, DIGEST, ".mar") == path
    assert kept(tmp_path, DIGEST, ".war") is None
    assert kept(tmp_path, "ab" * 32, ".mar") is None
    assert kept(None, DIGEST, ".mar") is None
    path.write_bytes(b"hell0")
    assert kept(tmp_path, DIGEST, ".mar") is None


def test_a_link_is_no_kept_file(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"hello")
    (tmp_path / f"{DIGEST}.mar").symlink_to(tmp_path / "real")
    assert kept(tmp_path, DIGEST, ".mar") is None


def test_what_a_killed_process_left_is_cleared_away_and_what_one_still_writes_is_not(tmp_path: Path) -> None:
    program = (
        "import sys, os, pathlib\nfrom wfctl.store.keep import partial_file\n"
        "with partial_file(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write(b'half'); print('writing', flush=True); sys.stdin.read()\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for each in writers:
        assert each.stdout.readline() == b"writing\n"
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    writers[0].kill()
    writers[0].communicate()
    with partial_file(tmp_path):
        assert len(list(tmp_path.iterdir())) == 2  # ours, and that of the living one
    writers[1].communicate()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        partial = Partial(tmp_path / "x", full)
        with pytest.raises(FetchError, match=r"cannot be kept in .*: no space left on device") as caught:
            partial.write(b"hello")
        assert (caught.value.blame, "WFCTL_CACHE" in caught.value.hint) == (Blame.SYSTEM, True)
