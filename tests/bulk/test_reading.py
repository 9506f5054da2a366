"""Files become numbered inputs: lines, rows, elements, whole files."""

import csv
import glob
import io
import json
import os
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.bulk import blocks, records
from wfctl.bulk.blocks import Lines
from wfctl.bulk.inputs import Inputs
from wfctl.bulk.item import Form
from wfctl.bulk.patterns import paths_matching
from wfctl.bulk.reading import Reading
from wfctl.bulk.records import element_items
from wfctl.errors import UnreadableInputError


def read(*words, form=None, **options):
    reading = Reading(Inputs(words=tuple(map(str, words)), form=form), **options)
    with closing(reading):
        return [item for chunk in reading.chunks() for item in chunk]


def numbering(name):
    """Return what numbers the records of a file; what it holds open is closed at once."""
    reading = Reading(Inputs(words=(name,)))
    reading.close()
    return reading


def bodies(items):
    return [item.fault or item.parts[0].body for item in items]


def cut(text: bytes, sizes: list[int]):
    at = 0
    for size in sizes:
        yield text[at : at + size]
        at += size
    yield text[at:]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(1, 9)))
def test_lines_are_the_same_however_the_bytes_come(pieces, sizes):
    text = b"\n".join(pieces)
    blocks_of = (block for block in cut(text, sizes) if block)
    expected = text.split(b"\n")
    assert list(Lines(blocks_of)) == (expected[:-1] if not expected[-1] else expected)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b""))), st.lists(st.integers(1, 9)))
def test_a_line_beyond_the_limit_is_passed_over_and_no_other(lines, sizes):
    text = b"".join(line + b"\n" for line in lines)
    found = list(Lines((block for block in cut(text, sizes) if block), limit=8))
    # A line that came in one piece is in memory anyhow, and is as long as one block at most.
    assert len(found) == len(lines)
    assert all(one == other for one, other in zip(found, lines, strict=True) if one is not None)
    assert all(len(line) > 8 for one, line in zip(found, lines, strict=True) if one is None)


def test_each_line_is_an_input_as_it_stands(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b'\xef\xbb\xbf{"a" :1}\r\n\n  \n[2]\n"last"')
    items = read(tmp_path / "in.jsonl")
    assert bodies(items) == [b'{"a" :1}', b"[2]", b'"last"']
    assert [item.number for item in items] == [1, 2, 3]
    assert {item.name for item in items} == {None}
    assert {part.content_type for item in items for part in item.parts} == {"application/json"}


def test_a_broken_line_is_a_failed_input_and_the_rest_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_LINE", 2**20)
    (tmp_path / "in.jsonl").write_bytes(b"1\n\n" + b'"' + b"x" * 3 * blocks.BLOCK + b'"\n5\n')
    stop = blocks.StopReading()
    lines = Lines(blocks.open_blocks(tmp_path / "in.jsonl", stop), limit=2 * blocks.BLOCK)
    reading = numbering("in.jsonl")
    found = bodies([item for chunk in records.line_items(lines, reading) for item in chunk])
    stop.close()
    assert found == [b"1", "line 3 is longer than 1 MiB", b"5"]


def test_lines_and_json_files_are_to_be_seen_through_by_the_worker_and_say_what_they_are(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b"\n1\n")
    (tmp_path / "in.json").write_bytes(b"{")
    (tmp_path / "in.txt").write_bytes(b"{")
    (tmp_path / "in.csv").write_bytes(b"a\n1\n")
    line, file, text, row = read(*(tmp_path / f"in.{ending}" for ending in ("jsonl", "json", "txt", "csv")))
    assert [item.parts[0].must_be_json for item in (line, file, text, row)] == [True, True, False, False]
    assert line.not_json("why") == "line 2 is not JSON: why"
    assert file.not_json("why") == f'"{tmp_path}/in.json" is not JSON: why'
    told = Reading(Inputs(words=(str(tmp_path / "in.json"),), content_type="application/json"))
    with closing(told):
        (given,) = next(told.chunks())
    assert not given.parts[0].must_be_json


def test_rows_become_objects_of_text(tmp_path):
    (tmp_path / "in.csv").write_bytes('name,"a b"\r\nJürgen,1\r\n\r\n"with ""quotes""\nand lines",2\r\n'.encode())
    found = [json.loads(body) for body in bodies(read(tmp_path / "in.csv"))]
    assert found == [{"name": "Jürgen", "a b": "1"}, {"name": 'with "quotes"\nand lines', "a b": "2"}]


def test_a_row_that_does_not_fit_the_header_is_a_failed_input_with_its_line(tmp_path):
    (tmp_path / "in.csv").write_bytes(b'a,b\n1\n"x\ny",2\n1,2,3\n\xff,2\n"open,2\n')
    found = bodies(read(tmp_path / "in.csv"))
    assert found[0] == "row at line 2: it has 1 fields, and the header names 2"
    assert json.loads(found[1]) == {"a": "x\ny", "b": "2"}
    assert found[2] == "row at line 5: it has 3 fields, and the header names 2"
    assert found[3] == "row at line 6: it is not UTF-8"
    assert found[4].startswith("row at line 7: ")
    assert len(found) == 5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "no header row"),
        (b"a,b,a\n1,2,3\n", 'the column "a" twice'),
        (b'"a\n', "ends inside a quoted field"),
        (b"a\r1\r2\r", "a carriage return stands in it"),
        (b"gr\xf6\xdfe\n1\n", "is not UTF-8"),
    ],
)
def test_a_header_that_names_nothing_is_refused(tmp_path, text, complaint):
    (tmp_path / "in.csv").write_bytes(text)
    with pytest.raises(UnreadableInputError, match=complaint):
        read(tmp_path / "in.csv")


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(["x", "y z", "ü"]), st.text(alphabet='a",\n\rü', max_size=5), min_size=3))
)
def test_rows_are_read_as_the_standard_library_reads_them(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, ["x", "y z", "ü"])
    writer.writeheader()
    writer.writerows(rows)
    lines = Lines(iter([text.getvalue().encode()]))
    chunks = records.row_items(lines, numbering("in.csv"), "in.csv")
    found = [json.loads(item.parts[0].body) for chunk in chunks for item in chunk]
    assert found == list(csv.DictReader(io.StringIO(text.getvalue())))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def elements(text: bytes, sizes: list[int]):
    chunks = element_items((block for block in cut(text, sizes) if block), numbering("in.json"), "in.json")
    return bodies([item for chunk in chunks for item in chunk])


@settings(deadline=None)
@given(st.lists(JSON), st.lists(st.integers(1, 7)), st.sampled_from([None, 1]), st.booleans())
def test_the_elements_of_an_array_are_found_however_the_bytes_come(values, sizes, indent, is_ascii):
    text = json.dumps(values, indent=indent, ensure_ascii=is_ascii).encode("utf-8", "replace")
    assert [json.loads(body) for body in elements(text, sizes)] == json.loads(text)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers()), st.lists(st.integers(1, 3)))
def test_numbers_are_whole_wherever_they_are_cut(values, sizes):
    text = json.dumps(values).encode()
    assert elements(text, sizes) == [json.dumps(value).encode() for value in values]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"[1, 2", "element 3 is not JSON: a comma or the end"),
        (b"[1, ]", "element 2 is not JSON: Expecting value"),
        (b"[1, 2] 3", "element 3 is not JSON: something stands behind"),
        (b'[1, "\xff"]', "element 2 is not JSON: it is not UTF-8"),
        (b'[1, {"a" 2}, 3]', "element 2 is not JSON: Expecting ':' delimiter"),
        (b"[1" + b"," + b"[" * 100_000, "element 2 is not JSON: it is nested too deep"),
    ],
)
def test_an_array_that_breaks_off_gives_what_is_whole_and_one_failure(text, fault):
    *whole, last = elements(text, [4])
    assert whole[0] == b"1"
    assert last.startswith(fault)
    assert last.endswith("nothing behind it can be read")


@pytest.mark.parametrize("text", [b"", b'{"a": 1}', b"\xff"])
def test_only_an_array_has_elements(text):
    with pytest.raises(UnreadableInputError, match="no JSON array"):
        elements(text, [])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "in"
    (top / "b" / "c").mkdir(parents=True)
    (top / ".hidden").mkdir()
    for name in ("2.txt", "10.txt", "b/c/x.bin", "b/a.json", ".hidden/y.txt", "b/.z"):
        (top / name).write_bytes(b'"%b"' % name.encode())
    (top / "b" / "rows.csv").write_text("k\nv\n")
    return top


def test_a_folder_is_read_by_name_and_what_is_hidden_is_not(folder):
    items = read(folder)
    assert [(item.number, item.name, item.stem) for item in items] == [
        (1, f"{folder}/10.txt", "10.txt"),
        (2, f"{folder}/2.txt", "2.txt"),
        (3, f"{folder}/b/a.json", "b/a.json"),
        (4, f"{folder}/b/c/x.bin", "b/c/x.bin"),
        (5, f"{folder}/b/rows.csv:2", "000005"),
    ]
    types = ["text/plain", "text/plain", "application/json", "application/octet-stream", "application/json"]
    assert [item.parts[0].content_type for item in items] == types


def test_a_pattern_and_many_words_are_read_in_order(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [item.name for item in read("**/*.json", "2.txt", "10.txt")] == ["b/a.json", "2.txt", "10.txt"]
    assert [item.stem for item in read("b/c/x.bin", "2.txt")] == ["b/c/x.bin", "2.txt"]
    assert [item.stem for item in read("b/c/*.bin")] == ["x.bin"]


def test_no_pattern_leads_answers_out_of_their_folder(folder, monkeypatch):
    monkeypatch.chdir(folder / "b")
    assert [item.stem for item in read("c*/../../*.txt")] == ["10.txt", "2.txt"]


@pytest.mark.parametrize(("word", "complaint"), [("nosuch", "no such file"), ("*.png", "no file matches")])
def test_a_word_that_names_nothing_is_refused(folder, monkeypatch, word, complaint):
    monkeypatch.chdir(folder)
    with pytest.raises(UnreadableInputError, match=complaint):
        read("2.txt", word)


def test_a_file_that_cannot_be_read_is_one_failed_input(folder):
    (folder / "b" / "rows.csv").write_text("")
    (failed,) = [item for item in read(folder) if item.fault]
    assert failed.name == f"{folder}/b/rows.csv"
    assert "has no header row" in failed.fault


@pytest.mark.parametrize("word", [".", "**", "**/*"])
def test_links_in_a_circle_end_and_a_link_to_nothing_is_a_failed_input(tmp_path, monkeypatch, word):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "1.txt").write_text("1")
    for name in ("up", "up2", "up3"):
        (tmp_path / "sub" / name).symlink_to("..")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "nothing").symlink_to("nosuch")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    items = read(word)
    assert [(item.stem, item.fault is not None) for item in items] == [
        ("circle", True),
        ("nothing", True),
        ("sub/1.txt", False),
    ]


@pytest.mark.parametrize(
    "pattern",
    ["*", "*.txt", "b/*", "*/*.json", "**", "**/*", "b/**", "**/*.json", "./*/c/*", "[12]*", "b/.*", "**/c/**"],
)
def test_patterns_match_what_the_standard_library_matches(folder, monkeypatch, pattern):
    monkeypatch.chdir(folder)
    expected = set(glob.glob(pattern, recursive=True))  # noqa: PTH207 - it knows ``**`` as shells do
    found = [path for path in paths_matching(pattern) if Path(path).is_file()]
    assert found == sorted(path for path in expected if Path(path).is_file())
    above = [path for path in paths_matching(f"{folder}/{pattern}") if Path(path).is_file()]
    assert [os.path.normpath(path) for path in above] == [os.path.normpath(folder / path) for path in found]


def test_a_byte_order_mark_is_no_part_of_a_json_file(tmp_path):
    (tmp_path / "in.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert bodies(read(tmp_path / "in.json")) == [b'{"a": 1}']


def test_elements_of_a_stream_are_handed_on_as_they_come():
    arrived: list[int] = []

    def blocks_of():
        yield b"["
        for number in range(3):
            arrived.append(number)
            yield b'{"n": %d},\n' % number
        yield b"3]"

    chunks = element_items(blocks_of(), numbering("in.json"), "in.json")
    assert bodies(next(chunks)) == [b'{"n": 0}']
    assert arrived == [0]
    assert [bodies(chunk) for chunk in chunks] == [[b'{"n": 1}'], [b'{"n": 2}'], [b"3"]]


def test_what_is_done_is_asked_for_once_for_each_record(tmp_path):
    (tmp_path / "in.jsonl").write_text("1\n2\n3\n")
    asked: list[int] = []

    def skips(number, stem):
        asked.append(number)
        return number < 3

    assert [item.number for item in read(tmp_path / "in.jsonl", skips=skips)] == [3]
    assert asked == [1, 2, 3]


def test_a_limit_ends_the_reading(folder, tmp_path):
    assert [item.number for item in read(folder, limit=2)] == [1, 2]
    (tmp_path / "in.jsonl").write_text("1\n2\n3\n4\n")
    assert bodies(read(tmp_path / "in.jsonl", limit=3)) == [b"1", b"2", b"3"]


def test_what_is_done_is_passed_over_and_keeps_its_number(folder):
    items = read(folder, skips=lambda number, stem: number <= 2 or stem == "b/a.json")
    assert [item.number for item in items] == [4, 5]


def test_a_stream_gives_its_lines_as_they_come_and_its_wait_can_be_ended(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reading = Reading(Inputs(words=(str(tmp_path / "pipe"),), form=Form.LINES))
    chunks = reading.chunks()
    writer: list[int] = []
    opener = threading.Thread(target=lambda: writer.append(os.open(tmp_path / "pipe", os.O_WRONLY)))
    opener.start()
    first: list[list] = []
    reader = threading.Thread(target=lambda: first.append(next(chunks)))
    reader.start()
    opener.join()
    os.write(writer[0], b"1\n")
    reader.join(30)
    assert bodies(first[0]) == [b"1"]
    os.write(writer[0], b'"not yet')
    waiting = threading.Thread(target=lambda: first.append(next(chunks, None)))
    waiting.start()
    reading.stop()
    waiting.join(30)
    assert not waiting.is_alive()
    os.close(writer[0])
    chunks.close()
    reading.close()
