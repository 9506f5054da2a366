"""How folders travel, and where they come to lie."""

import multiprocessing
import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from wfctl.cluster import parcels
from wfctl.cluster.landing import landed
from wfctl.cluster.parcels import PIECE, members_of, packed, unpack_parcel
from wfctl.errors import ArchiveError, UnsupportedError
from wfctl.plan import CodeUnit
from wfctl.workplace import LOCK, clear_left_behind


def unit(folder: Path, **more) -> CodeUnit:
    return CodeUnit(model_dir=str(folder), handler="handler.py", manifest=None, **more)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "model"
    (place / "deep" / "er").mkdir(parents=True)
    (place / "handler.py").write_text("def first(data, context): return data\n")
    (place / ".hidden").write_text("x")
    (place / "empty").touch()
    (place / "deep" / "er" / "weights.bin").write_bytes(os.urandom(PIECE + 12345))
    (place / "tool").write_text("#!/bin/sh\n")
    (place / "tool").chmod(0o755)
    return place


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o777) for path in files}


def test_a_folder_arrives_as_it_was_sent(folder, tmp_path):
    parcel = packed(members_of(unit(folder), 0), lambda piece: piece)
    assert all(len(piece) <= PIECE for piece in parcel.pieces)
    assert len(parcel.pieces) == 2
    unpack_parcel(parcel, parcel.pieces, tmp_path / "there")
    assert contents(tmp_path / "there") == contents(folder)


def test_the_same_files_have_the_same_digest_wherever_they_lie(folder, tmp_path):
    folder.rename(tmp_path / "other")
    one = packed(members_of(unit(tmp_path / "other"), 0), len)
    (tmp_path / "other").rename(folder)
    assert packed(members_of(unit(folder), 0), len) == one
    (folder / "empty").write_text("no more")
    assert packed(members_of(unit(folder), 0), len).digest != one.digest


@pytest.mark.parametrize("change", ["flipped", "short", "missing"])
def test_what_was_damaged_on_the_way_does_not_arrive(folder, tmp_path, change):
    parcel = packed(members_of(unit(folder), 0), bytearray)
    if change == "flipped":
        parcel.pieces[1][7] ^= 1
    elif change == "short":
        del parcel.pieces[1][-1:]
    else:
        del parcel.pieces[1]
    with pytest.raises(ArchiveError, match=r"other than they were sent|broke off"):
        unpack_parcel(parcel, parcel.pieces, tmp_path / "there")


def test_of_a_users_own_folder_only_what_belongs_to_the_workflow_travels(folder):
    (folder / "other.mar").write_bytes(b"x")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "pyvenv.cfg").touch()
    own = {member.name for member in members_of(unit(folder, is_private=False), 0)}
    assert own == {"handler.py", "empty", "deep/er/weights.bin", "tool"}
    assert {".hidden", "other.mar"} < {member.name for member in members_of(unit(folder), 0)}


def test_a_users_folder_that_is_too_large_is_refused(folder, monkeypatch):
    monkeypatch.setattr(parcels, "_MOST_OWN", PIECE)
    with pytest.raises(UnsupportedError, match="has more than 16 MB to send") as refused:
        members_of(unit(folder, is_private=False), 0)
    assert "wfctl archive" in refused.value.hint
    assert members_of(unit(folder), 0)


def test_a_file_that_becomes_shorter_is_told(folder):
    members = members_of(unit(folder), 0)
    (folder / "handler.py").write_text("")
    with pytest.raises(ArchiveError, match="became shorter"):
        packed(members, len)


def test_requirements_travel_too(folder, tmp_path):
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "more.py").touch()
    both = replace(unit(folder), import_paths=(str(tmp_path / "packages"),))
    assert [member.name for member in members_of(both, 1)] == ["more.py"]


# Landing


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_filled_once_and_found_by_all(there):
    filled, found = [], []

    def fill(into: Path) -> None:
        filled.append(into)
        (into / "file").write_text("here")

    def land() -> None:
        found.append(landed("abc", fill))

    threads = [threading.Thread(target=land) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(filled) == 1
    assert set(found) == {there / "wfctl-abc" / "whole"}
    assert (found[0] / "file").read_text() == "here"


def test_a_folder_that_was_filled_in_part_is_filled_anew(there):
    def broken(into: Path) -> None:
        (into / "half").touch()
        raise ArchiveError("it broke off")

    with pytest.raises(ArchiveError, match="broke off"):
        landed("abc", broken)
    whole = landed("abc", lambda into: (into / "file").touch())
    assert [path.name for path in whole.iterdir()] == ["file"]


def _land_and_tell(there: str, told, may_end) -> None:
    tempfile.tempdir = there
    landed("abc", lambda into: (into / "file").touch())
    told.set()
    may_end.wait()


def test_it_stays_while_a_process_lives_and_is_cleared_away_behind_the_last(there):
    context = multiprocessing.get_context("spawn")
    told, may_end = context.Event(), context.Event()
    process = context.Process(target=_land_and_tell, args=(str(there), told, may_end))
    process.start()
    assert told.wait(60)
    clear_left_behind(there, young_s=-1)
    assert (there / "wfctl-abc" / "whole" / "file").exists()
    process.kill()
    process.join()
    clear_left_behind(there, young_s=-1)
    assert list(there.iterdir()) == []


@pytest.mark.parametrize("kind", ["link", "open", "file"])
def test_what_others_have_put_there_is_not_taken(there, kind):
    place = there / "wfctl-abc"
    if kind == "link":
        (there / "elsewhere").mkdir()
        place.symlink_to(there / "elsewhere")
    elif kind == "open":
        place.mkdir()
        place.chmod(0o777)
    else:
        place.touch()
    with pytest.raises(UnsupportedError, match="not a folder of this user alone"):
        landed("abc", lambda into: (into / "file").touch())


def test_its_lock_is_not_followed_elsewhere(there):
    (there / "wfctl-abc").mkdir(mode=0o700)
    (there / "mine").touch()
    (there / "wfctl-abc" / LOCK).symlink_to(there / "mine")
    with pytest.raises(OSError, match="symbolic links"):
        landed("abc", lambda into: (into / "file").touch())
