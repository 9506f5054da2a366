"""Outputs: what an earlier run left is the truth, what is torn is cut, and nobody else's is touched."""

import os

import pytest

from wfctl.bulk.answer_folder import AnswerFolder, placed
from wfctl.bulk.item import Item
from wfctl.bulk.ledger import Charter, OtherRunError, read_charter, refuse_other_inputs, write_charter
from wfctl.bulk.line_file import LineFile, TakenOutputError, numbered_lines
from wfctl.bulk.sink import NotWrittenError
from wfctl.engine.core.outcome import RunResult


def lines(*statuses):
    return [b'{"number": %d, "status": %d, "answer": "x"}\n' % pair for pair in enumerate(statuses, start=1)]


def item(number, stem):
    return Item(number, None, stem, 0, b"", "application/json")


def result(body, content_type=None):
    return RunResult(body, content_type, 200, {}, [])


@pytest.mark.parametrize("torn", [b"", b"{", b'{"number": 4, "status": 200, "answer": "x"}', b"\0" * 5000])
def test_whole_lines_are_counted_and_a_torn_one_is_cut(tmp_path, torn):
    (tmp_path / "out.jsonl").write_bytes(b"".join(lines(200, 500, 200)) + torn)
    output = LineFile(tmp_path / "out.jsonl")
    output.resume()
    assert (output.done, output.failed) == (3, 1)
    sink = output.go_on()
    sink.write([b'{"number": 4, "status": 400, "error": {}}\n'])
    sink.close()
    assert output.derive_failures() == 2
    output.close()
    whole = (tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True)
    assert whole == [*lines(200, 500, 200), b'{"number": 4, "status": 400, "error": {}}\n']
    assert (tmp_path / "out.errors.jsonl").read_bytes().splitlines(keepends=True) == [whole[1], whole[3]]


def test_lines_larger_than_a_block_are_counted_by_their_beginnings(tmp_path):
    (tmp_path / "out.jsonl").write_bytes(
        b"".join(b'{"number": %d, "status": 200, "answer": "%b"}\n' % (n, b"x" * 3_000_000) for n in (1, 2, 3))
    )
    assert [number for number, _, _ in numbered_lines(tmp_path / "out.jsonl")] == [1, 2, 3]


@pytest.mark.parametrize("text", [b"mine\n", lines(200)[0] * 2, b"".join(lines(200, 200)[1:]), b"\n"])
def test_lines_of_somebody_else_are_refused_and_left_alone(tmp_path, text):
    (tmp_path / "out.jsonl").write_bytes(text)
    output = LineFile(tmp_path / "out.jsonl")
    with pytest.raises(TakenOutputError, match="is not the line of input"):
        output.resume()
    output.close()
    assert (tmp_path / "out.jsonl").read_bytes() == text


def test_one_run_writes_an_output_at_a_time(tmp_path):
    for make in (lambda: LineFile(tmp_path / "out.jsonl"), lambda: AnswerFolder(tmp_path / "out")):
        first, second = make(), make()
        sink = first.begin()
        with pytest.raises(TakenOutputError, match="another run is writing"):
            second.begin()
        second.close()
        sink.close()
        first.close()
        third = make()
        third.begin().close()
        third.close()


def test_a_disk_that_takes_no_more_is_a_failure_of_the_system():
    descriptor = os.open("/dev/full", os.O_WRONLY)
    from wfctl.bulk.sink import LineSink

    sink = LineSink(descriptor, "out.jsonl", flush_s=0)
    with pytest.raises(NotWrittenError, match="cannot be written: no space left"):
        sink.write([b"x\n"])
    sink.close()


@pytest.mark.parametrize(
    ("body", "content_type", "ending"),
    [
        (b'{"a": 1}', None, ".json"),
        (b"words", None, ".txt"),
        (b"\xff", None, ".bin"),
        (b"<p>", "text/html; charset=utf-8", ".html"),
        (b"\x89PNG\xff", "image/png", ".png"),
        (b"\xff", "application/x-mine", ".bin"),
    ],
)
def test_a_file_is_called_as_its_input_and_ends_as_its_content(tmp_path, body, content_type, ending):
    output = AnswerFolder(tmp_path / "out")
    sink = output.begin()
    sink.write([sink.answered(item(1, "sub/cat.png"), result(body, content_type))])
    output.close()
    assert (tmp_path / "out" / "sub" / f"cat.png{ending}").read_bytes() == body
    assert [path.name for path in (tmp_path / "out" / "sub").iterdir()] == [f"cat.png{ending}"]


def test_what_has_a_file_is_done_and_temporary_files_of_a_killed_run_vanish(tmp_path):
    output = AnswerFolder(tmp_path / "out")
    sink = output.begin()
    write_charter(Charter(inputs={}, workflow="w", options={}), output.charter_path)
    sink.write([sink.answered(item(1, "a"), result(b"1")), sink.failed(item(2, "sub/b"), "no good")])
    output.close()
    (tmp_path / "out" / ".c.part").write_bytes(b"half")
    again = AnswerFolder(tmp_path / "out")
    again.resume()
    assert [again.skips(number, stem) for number, stem in enumerate(("a", "sub/b", "c"), start=1)] == [
        True,
        True,
        False,
    ]
    assert (again.done, again.failed) == (2, 1)
    assert again.derive_failures() == 1
    again.close()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".wfctl-run.json",
        "a.json",
        "errors.jsonl",
        "sub",
    ]


def test_a_new_run_over_an_old_folder_takes_no_old_file_for_its_own(tmp_path):
    output = AnswerFolder(tmp_path / "out")
    sink = output.begin()
    sink.write([sink.answered(item(1, "a"), result(b"1")), sink.answered(item(2, "b"), result(b"1"))])
    output.close()
    os.utime(tmp_path / "out" / "b.json", ns=(0, 0))
    second = AnswerFolder(tmp_path / "out")
    sink = second.begin()
    write_charter(Charter(inputs={}, workflow="w", options={}), second.charter_path)
    sink.write([sink.failed(item(1, "a"), "no good")])
    second.close()
    third = AnswerFolder(tmp_path / "out")
    third.resume()
    assert third.skips(1, "a")
    assert not third.skips(2, "b")
    assert third.failed == 1
    third.close()
    assert not (tmp_path / "out" / "a.json").exists()


def test_a_name_that_is_too_long_is_cut_and_stays_its_own():
    one, other = "sub/" + "ü" * 120 + "a", "sub/" + "ü" * 120 + "b"
    assert placed("sub/short") == ("sub", "short")
    assert placed(one) != placed(other)
    assert all(len(os.fsencode(placed(stem)[1])) < 200 for stem in (one, other))


def test_no_answer_is_called_as_the_failure_of_another_input(tmp_path):
    output = AnswerFolder(tmp_path / "out")
    sink = output.begin()
    write_charter(Charter(inputs={}, workflow="w", options={}), output.charter_path)
    sink.write([sink.answered(item(2, "x.error"), result(b"1"))])
    output.close()
    again = AnswerFolder(tmp_path / "out")
    again.resume()
    assert (again.skips(1, "x"), again.skips(2, "x.error")) == (False, True)
    again.close()


def charter(**changes):
    words = {"inputs": {"words": ["a"], "bytes": 3, "digest": "x"}, "workflow": "w", "options": {"until": None}}
    return Charter(**{**words, **changes})


def test_a_side_car_says_what_differs(tmp_path):
    path = tmp_path / "out.run.json"
    write_charter(charter(), path)
    before = read_charter(path, tmp_path / "out.jsonl")
    assert before == charter()
    refuse_other_inputs(charter(inputs={"words": ["./a"], "bytes": 3, "digest": "x"}), before, path)
    with pytest.raises(OtherRunError, match="inputs, bytes: 3 then, 4 now"):
        refuse_other_inputs(charter(inputs={"words": ["a"], "bytes": 4, "digest": "y"}), before, path)
    with pytest.raises(OtherRunError, match="another run: the inputs have changed"):
        refuse_other_inputs(charter(inputs={"words": ["a"], "bytes": 3, "digest": "y"}), before, path)
    with pytest.raises(OtherRunError, match='option until: none then, "b" now'):
        refuse_other_inputs(charter(options={"until": "b"}), before, path)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"version": 99, "inputs": {}, "workflow": "", "options": {}}'])
def test_a_side_car_that_is_missing_or_broken_is_refused(tmp_path, text):
    path = tmp_path / "out.run.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(OtherRunError, match="is missing or broken"):
        read_charter(path, tmp_path / "out.jsonl")


def test_a_run_killed_while_it_wrote_what_it_is_about_has_written_nothing(tmp_path):
    folder = AnswerFolder(tmp_path / "out")
    folder.path.mkdir()
    (folder.path / "..wfctl-run.json.part").write_text('{"version": ')
    assert not folder.exists()
    (folder.path / "1.json").write_text("{}")
    assert folder.exists()
