"""What there is to read, and by what it is known again."""

import os

import pytest

from wfctl.bulk import survey as module
from wfctl.bulk.inputs import Inputs
from wfctl.bulk.survey import digest_of_file, survey
from wfctl.errors import UnreadableInputError


def look(*words, unique=False):
    return survey(Inputs(words=tuple(map(str, words))), wants_digest=True, wants_unique_stems=unique)


def test_files_are_counted_and_their_bytes_are(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"12345")
    (tmp_path / "b.txt").write_bytes(b"1")
    found = look(tmp_path)
    assert (found.files, found.total_bytes, found.count) == (2, 6, 2)
    (tmp_path / "c.jsonl").write_bytes(b"1\n")
    assert look(tmp_path).count is None


def test_records_are_known_by_their_content_and_files_by_name_size_and_time(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n")
    (tmp_path / "b.txt").write_bytes(b"12345")
    before = look(tmp_path).digest
    os.utime(tmp_path / "a.jsonl", ns=(1, 1))
    assert look(tmp_path).digest == before
    (tmp_path / "a.jsonl").write_bytes(b"1\n3\n")
    changed = look(tmp_path).digest
    assert changed != before
    os.utime(tmp_path / "b.txt", ns=(1, 1))
    assert look(tmp_path).digest != changed


def test_a_file_that_cannot_be_read_is_known_too_for_it_has_a_number(tmp_path):
    (tmp_path / "a.txt").touch()
    before = look(tmp_path).digest
    (tmp_path / "0.jsonl").symlink_to("nosuch")
    found = look(tmp_path)
    assert (found.files, found.digest != before) == (2, True)


def test_the_folder_it_is_seen_from_makes_no_difference(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_bytes(b"1\n")
    before = look(tmp_path / "a.jsonl").digest
    monkeypatch.chdir(tmp_path)
    assert look("a.jsonl").digest == before


def test_a_very_large_file_is_known_by_pieces_size_and_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WHOLE_BYTES", 4)
    monkeypatch.setattr(module, "_PIECE", 2)
    path = tmp_path / "large"
    path.write_bytes(b"0123456789" * 100)
    os.utime(path, ns=(1, 1))
    before = digest_of_file(path)
    with path.open("r+b") as stream:
        stream.seek(998)
        stream.write(b"xx")
    os.utime(path, ns=(1, 1))
    assert digest_of_file(path) != before
    path.write_bytes(b"0123456789" * 100)
    os.utime(path, ns=(1, 1))
    assert digest_of_file(path) == before
    os.utime(path, ns=(2, 2))
    assert digest_of_file(path) != before


def test_one_file_named_twice_cannot_have_two_files_for_answers(tmp_path):
    (tmp_path / "a.txt").touch()
    assert look(tmp_path, tmp_path / "a.txt").files == 2
    with pytest.raises(UnreadableInputError, match="is named twice"):
        look(tmp_path, tmp_path / "a.txt", unique=True)


def test_a_file_that_is_called_like_a_number_cannot_have_its_answer_beside_those_of_records(tmp_path):
    (tmp_path / "000002").touch()
    assert look(tmp_path, unique=True).files == 1
    (tmp_path / "z.jsonl").write_text("1\n2\n")
    assert look(tmp_path).files == 2
    with pytest.raises(UnreadableInputError, match="called like that of a record"):
        look(tmp_path, unique=True)
