"""Temporary folders go with their process, however it ends."""

import os
import subprocess
import sys
from pathlib import Path

from wfctl.workplace import clear_left_behind

HOLDER = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from wfctl.workplace import open_workplace
place = open_workplace()
(place.folder / "model.pt").write_bytes(b"x")
print(place.folder, flush=True)
sys.stdin.read()
place.remove()
"""


def hold(below: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, below], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str]) -> None:
    process.stdin.close()
    process.stdout.close()
    process.wait(timeout=30)


def test_a_folder_is_private_and_removed_at_the_end(tmp_path: Path) -> None:
    process, folder = hold(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    end(process)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_owner_was_killed_is_cleared_away_and_a_held_one_stays(tmp_path: Path) -> None:
    killed, left = hold(tmp_path)
    living, held = hold(tmp_path)
    killed.kill()
    end(killed)
    assert left.exists()
    clear_left_behind(tmp_path, young_s=-1)
    assert not left.exists()
    assert held.exists()
    end(living)


def test_a_young_folder_and_what_is_not_ours_are_left_alone(tmp_path: Path) -> None:
    killed, left = hold(tmp_path)
    killed.kill()
    end(killed)
    other = tmp_path / "wfctl-notes"
    other.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".held").touch()
    (tmp_path / "wfctl-link").symlink_to(elsewhere)
    clear_left_behind(tmp_path)
    assert left.exists()
    clear_left_behind(tmp_path, young_s=-1)
    assert other.exists()
    assert elsewhere.exists()
    assert os.path.lexists(tmp_path / "wfctl-link")
