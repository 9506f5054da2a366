"""An answer as one line: strict JSON, whatever the handler returned."""

import json
from base64 import b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.bulk.item import Item
from wfctl.bulk.lines import NUMBERED, answer_line, error_line, told_error, told_fault
from wfctl.engine.core.outcome import RunResult
from wfctl.errors import DeadlineExceededError, RunError


def strict(line):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return json.loads(line, parse_constant=refuse)


def line_of(body, content_type=None, *, status=200, name=None):
    item = Item(7, name, "000007", 0, b"", "application/json")
    return answer_line(item, RunResult(body, content_type, status, {}, []))


@pytest.mark.parametrize(
    ("body", "content_type", "answer"),
    [
        (b'{"a": 1.10, "b": [2]}', None, {"a": 1.1, "b": [2]}),
        (b'{\n  "a": 1,\r\n  "b": "x, y"\n}', None, {"a": 1, "b": "x, y"}),
        (b'  "spaced"\n', None, "spaced"),
        (b'{"p": NaN, "q": [-Infinity]}', None, {"p": None, "q": [None]}),
        (b"plain words", None, "plain words"),
        ("grün\n\u2028".encode(), None, "grün\n\u2028"),
        (b"12", None, 12),
        (b"12", "text/plain; charset=utf-8", "12"),
        (b"12", "application/json", 12),
        (b"", None, ""),
        (b"1 2", None, "1 2"),
        (b"[" * 100_000, None, "[" * 100_000),
    ],
)
def test_json_stands_as_it_is_and_text_becomes_a_string(body, content_type, answer):
    assert strict(line_of(body, content_type)) == {"number": 7, "status": 200, "answer": answer}


def test_numbers_keep_their_digits():
    assert b'"answer": {"a": 1.10,"b": 12345678901234567890.5}' in line_of(b'{"a": 1.10,"b": 12345678901234567890.5}')


def test_bytes_are_written_in_base64_with_their_type():
    told = strict(line_of(b"\xff\x00", "image/png"))
    assert b64decode(told.pop("answer_b64")) == b"\xff\x00"
    assert told == {"number": 7, "status": 200, "content_type": "image/png"}


def test_a_name_stands_in_the_line_also_where_it_is_no_utf8():
    told = strict(line_of(b"1", name="a\udcff\n.png"))
    assert (told["input"], told["status"]) == ("a\udcff\n.png", 200)


@settings(deadline=None)
@given(st.binary(), st.sampled_from([None, "application/json", "text/html", "image/png"]))
def test_any_answer_is_one_line_that_begins_with_number_and_status(body, content_type):
    line = line_of(body, content_type, status=201)
    told = strict(line)
    start = NUMBERED.match(line)
    assert start is not None
    assert (int(start[1]), int(start[2])) == (7, 201)
    assert len({"answer", "answer_b64"} & told.keys()) == 1


def test_a_failure_names_node_attempts_and_the_end_of_the_traceback():
    item = Item(3, None, "000003", 0, None, "", "line 3 is not JSON")
    trace = "Traceback (most recent call last):\n" + "  frame\n" * 5000 + "ValueError: the end"
    told = strict(error_line(item, *told_error(RunError("no", node="m1", attempts=2, traceback_text=trace))))
    assert told["status"] == 500
    assert (told["error"]["node"], told["error"]["attempts"], told["error"]["code"]) == ("m1", 2, "node-failed")
    assert told["error"]["traceback"].endswith("ValueError: the end")
    assert len(told["error"]["traceback"]) == 4000
    late = strict(error_line(item, *told_error(DeadlineExceededError("late", node="m1", attempts=1, status=504))))
    assert (late["status"], late["error"]["code"]) == (504, "deadline-exceeded")
    wrong = strict(error_line(item, *told_fault("line 3 is not JSON")))
    assert wrong == {
        "number": 3,
        "status": 400,
        "error": {"code": "bad-input", "message": "line 3 is not JSON"},
    }
