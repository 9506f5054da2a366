"""What the two logs of a server say, line by line; what clients and handlers send cannot add a line."""

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched import add, answer, asked_for

from wfctl.engine.backend import WorkerReport
from wfctl.service.registry import Registry
from wfctl.web.watch.log_lines import (
    LONGEST_BLOCK,
    Form,
    Level,
    Stamp,
    event_line,
    json_request,
    output_line,
    text_request,
)
from wfctl.web.watch.log_writer import LogWriter
from wfctl.web.watch.logs import AccessLog, ServerLog

NOW = 1_700_000_000.25
TIME = "2023-11-14T22:13:20.250Z"
KEYS = ["time", "method", "path", "status", "bytes", "ms", "request_id", "workflow"]
SECRETS = ("hunter2", "payload", "cookie")

ANYTHING = st.text(st.characters(), max_size=300)
"""Lone halves of surrogate pairs, controls, ends of lines of all scripts: whatever a string can hold."""
FORGED = st.one_of(
    ANYTHING,
    st.sampled_from(
        [
            f"x\n{TIME} GET /admin 200 0 1.000 id -",
            "x\r",
            "\x1b[2K",
            "\u2028y",
            "\x85",
            "a b",
            '","status":1',
            "\\n",
            "",
        ]
    ),
)


@pytest.fixture(params=list(Form))
def form(request) -> Form:
    return request.param


@pytest.fixture
def log_file(tmp_path):
    return tmp_path / "log"


def written(path, form, tell) -> str:
    """What a log holds once everything was said and it was closed."""
    with path.open("wb") as stream:
        writer = LogWriter(stream, form, clock=lambda: NOW)
        tell(writer)
        writer.close()
    return path.read_text(encoding="utf-8")


def line_of(log_file, form, asked, response=None, took_s=0.0125) -> str:
    response = response or answer()
    return written(log_file, form, lambda writer: AccessLog(writer).answered(asked, response, took_s))


# Requests


def test_a_request_is_one_line_of_eight_words(log_file):
    asked = asked_for("digits", target="/wfpredict/digits?key=hunter2", request_id="abc-1")
    assert line_of(log_file, Form.TEXT, asked, answer(201, b"payload")) == (
        f"{TIME} POST /wfpredict/digits 201 7 12.500 abc-1 digits\n"
    )


def test_a_request_is_one_object_with_the_same_keys_in_the_same_order(log_file):
    asked = asked_for("digits", target="/wfpredict/digits?key=hunter2", request_id="abc-1")
    assert line_of(log_file, Form.JSON, asked, answer(201, b"payload")) == (
        f'{{"time":"{TIME}","method":"POST","path":"/wfpredict/digits","status":201,"bytes":7,"ms":12.500,'
        '"request_id":"abc-1","workflow":"digits"}\n'
    )


def test_what_there_is_not_is_said_to_be_not_there(log_file, form):
    line = line_of(log_file, form, asked_for(method="", target=""), answer(400))
    if form is Form.TEXT:
        assert line == f"{TIME} - - 400 0 12.500 id-1 -\n"
    else:
        found = json.loads(line)
        assert (found["method"], found["path"], found["workflow"]) == (None, None, None)


def test_neither_query_nor_fields_nor_bodies_are_logged(log_file, form):
    asked = asked_for("digits", target="/wfpredict/digits?key=hunter2", authorization="Bearer hunter2", cookie="cookie")
    asked.body = bytearray(b"payload")
    line = line_of(log_file, form, asked, answer(200, b"payload"))
    assert not [secret for secret in SECRETS if secret in line]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://user:hunter2@host/ping?key=hunter2", "/ping"),
        ("https://user:hunter2@host", "-"),
        ("user:hunter2@host:80", "-"),
        ("*", "*"),
        ("/a//b/?x=http://y/z", "/a//b/"),
        ("?key=hunter2", "-"),
    ],
)
def test_of_a_target_the_path_is_logged(log_file, target, path):
    assert line_of(log_file, Form.TEXT, asked_for(target=target)).split(" ")[2] == path


def test_a_long_path_is_cut(log_file, form):
    line = line_of(log_file, form, asked_for(target="/" + "a" * 199 + "?" + "b" * 10_000))
    assert "/" + "a" * 199 in line
    line = line_of(log_file, form, asked_for(target="/" + "a" * 200))
    assert re.search(r"/a{196}\.\.\.\W", line)


def test_an_answer_to_head_has_no_bytes(log_file):
    assert line_of(log_file, Form.TEXT, asked_for(method="HEAD"), answer(200, b"1234")).split(" ")[4] == "0"


def test_the_time_is_that_of_the_clock_over_the_end_of_a_second():
    times = iter([NOW, NOW + 0.7495, NOW + 0.75, NOW + 86_400, NOW])
    stamp = Stamp(lambda: next(times))
    assert [stamp.now() for _ in range(5)] == [
        TIME,
        "2023-11-14T22:13:20.999Z",
        "2023-11-14T22:13:21.000Z",
        "2023-11-15T22:13:20.250Z",
        TIME,
    ]


# No line can be forged


@given(FORGED, FORGED, FORGED, FORGED)
def test_whatever_a_client_sends_its_request_is_one_line_of_text(method, path, request_id, workflow):
    line = text_request(TIME, method, path, 200, 7, 0.0125, request_id, workflow)
    assert line.splitlines(keepends=True) == [line]  # by all ends of lines that there are
    assert line.endswith("\n")
    assert line.isascii()
    assert line[:-1].isprintable()
    words = line[:-1].split(" ")
    assert len(words) == 8
    assert all(words)
    assert (words[0], words[3:6]) == (TIME, ["200", "7", "12.500"])


@given(FORGED, FORGED, FORGED, FORGED)
def test_whatever_a_client_sends_its_request_is_one_object(method, path, request_id, workflow):
    line = json_request(TIME, method, path, 200, 7, 0.0125, request_id, workflow)
    assert line.splitlines(keepends=True) == [line]
    assert line.isascii()
    found = json.loads(line, object_pairs_hook=list)
    assert [key for key, _ in found] == KEYS
    values = [TIME, method or None, None, 200, 7, 12.5, request_id, workflow or None]
    values[2] = (path if len(path) <= 200 else path[:197] + "...") or None
    assert [value for _, value in found] == values


@given(FORGED, FORGED, FORGED)
def test_whatever_a_handler_prints_is_one_line_that_says_whose_it_is(node, stream, text):
    line = output_line(Form.TEXT, TIME, node, stream, text)
    assert line.splitlines(keepends=True) == [line]
    assert line[:-1].isprintable()
    assert line.startswith(f"{TIME} output ")
    found = json.loads(output_line(Form.JSON, TIME, node, stream, text))
    assert (found["event"], found["node"], found["stream"], found["line"]) == ("output", node, stream, text)


@given(FORGED, st.lists(FORGED, max_size=3), FORGED)
def test_whatever_an_event_holds_only_its_first_line_begins_like_one(value, values, block):
    line = event_line(Form.TEXT, TIME, Level.ERROR, "error", {"a": value, "b": values}, block=("traceback", block))
    first, *rest = line.splitlines()
    assert "".join(f"{each}\n" for each in (first, *rest)) == line
    assert first.startswith(f"{TIME} error error a=")
    assert all(each.startswith("  | ") and each.isprintable() for each in rest)
    # What is quoted ends where its quotes end, so that no field can be made up.
    assert re.fullmatch(r'[^ ]+ error error a=(?:[^ "=]+|"(?:[^"\\]|\\.)*") b=(?:[^ "=]+|"(?:[^"\\]|\\.)*")', first)
    text = event_line(Form.JSON, TIME, Level.ERROR, "error", {"a": value, "b": values}, block=("traceback", block))
    assert text.splitlines(keepends=True) == [text]
    fields = {"a": value, "b": values, "traceback": block}
    assert json.loads(text) == {"time": TIME, "level": "error", "event": "error"} | fields


# What happens to a server


def test_events_as_text(log_file):
    registry = Registry()
    add(registry, "digits")
    (served,) = registry

    def tell(writer):
        log = ServerLog(writer)
        log.started("0.1.0", ["http://127.0.0.1:8080", "unix:/run/w f.sock"])
        log.ready(1.5)
        log.registered(served)
        log.worker_ready("digits", WorkerReport(worker=1, node="m1", pid=71, load_s=0.25))
        log.worker_lost("digits", "m1", 71, 'killed by signal 9: "out of memory"')
        log.removed(served)
        log.draining(30.0)
        log.ended(0)
        log.on_output("m1", "stderr", "grüße\tfrom\x1b[31m handlers")
        log.error("an endpoint raised")

    assert written(log_file, Form.TEXT, tell).splitlines() == [
        f'{TIME} info started version=0.1.0 addresses="http://127.0.0.1:8080,unix:/run/w f.sock"',
        f"{TIME} info ready after_s=1.500",
        f"{TIME} info workflow-registered workflow=digits version=1.0",
        f"{TIME} info worker-ready workflow=digits node=m1 pid=71 after_s=0.250",
        f'{TIME} warning worker-lost workflow=digits node=m1 pid=71 reason="killed by signal 9: \\"out of memory\\""',
        f"{TIME} info workflow-removed workflow=digits version=1.0",
        f"{TIME} info draining within_s=30.000",
        f"{TIME} info ended cut=0",
        f"{TIME} output m1 stderr | grüße\\tfrom\\x1b[31m handlers",
        f'{TIME} error error message="an endpoint raised"',
    ]


def test_events_as_objects(log_file):
    def tell(writer):
        log = ServerLog(writer)
        log.started("0.1.0", ("http://127.0.0.1:8080",))
        log.ready(1.5)
        log.on_output("m1", "stdout", "grüße")

    begin = {"time": TIME, "level": "info"}
    assert [json.loads(line) for line in written(log_file, Form.JSON, tell).splitlines()] == [
        {**begin, "event": "started", "version": "0.1.0", "addresses": ["http://127.0.0.1:8080"]},
        {**begin, "event": "ready", "after_s": 1.5},
        {**begin, "event": "output", "node": "m1", "stream": "stdout", "line": "grüße"},
    ]


def _raised(words: str) -> Exception:
    with pytest.raises(ValueError) as caught:
        raise ValueError(words)
    return caught.value


def test_an_error_brings_its_traceback(log_file, form):
    text = written(log_file, form, lambda writer: ServerLog(writer).error("no", _raised("a\nb")))
    if form is Form.JSON:
        traceback = json.loads(text)["traceback"]
        assert traceback.startswith("Traceback (most recent call last):\n")
        assert traceback.endswith("ValueError: a\nb\n")
    else:
        first, *rest = text.splitlines()
        assert first == f"{TIME} error error message=no"
        assert (rest[0], rest[-2:]) == ("  | Traceback (most recent call last):", ["  | ValueError: a", "  | b"])


def test_of_a_huge_traceback_the_end_is_kept(log_file, form):
    text = written(log_file, form, lambda writer: ServerLog(writer).error("no", _raised("x" * 10**6 + "the end")))
    assert len(text) < LONGEST_BLOCK + 500
    assert "the end" in text


def test_a_long_line_of_a_handler_is_cut(log_file, form):
    text = written(log_file, form, lambda writer: ServerLog(writer).on_output("m1", "stdout", "x" * 10**6))
    assert 8192 < len(text) < 8192 + 200


def test_what_nobody_caught_on_the_loop_is_told(log_file):
    async def scenario(writer):
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(ServerLog(writer).on_unhandled)
        loop.call_soon(lambda: 1 / 0)
        loop.call_exception_handler({"message": "an endpoint raised"})
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    text = written(log_file, Form.TEXT, lambda writer: asyncio.run(scenario(writer)))
    assert f'{TIME} error error message="an endpoint raised"' in text
    assert text.splitlines()[-1] == "  | ZeroDivisionError: division by zero"
