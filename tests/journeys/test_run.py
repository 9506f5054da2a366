"""``wfctl run``: inputs in, answers out, nothing mixed."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WFCTL = Path(sys.executable).parent / "wfctl"

ONE = "dag:\n  only: []\n"
ECHO = """
    def only(data, context):
        if data is None:
            return None
        body = data[0].get("body", data[0].get("field"))
        kind = type(body).__name__
        return [{"kind": kind, "value": body.decode("latin-1") if kind == "bytearray" else body}]
"""


@pytest.mark.parametrize(
    ("name", "content", "options", "expected"),
    [
        ("in.json", b'{"a": 1}', [], {"kind": "dict", "value": {"a": 1}}),
        ("in.txt", "grün".encode(), [], {"kind": "str", "value": "grün"}),
        ("in.bin", b"\xff\x00", [], {"kind": "bytearray", "value": "\xff\x00"}),
        ("in.bin", b"[1]", ["--content-type", "application/json"], {"kind": "list", "value": [1]}),
        ("in.json", b"[1]", ["--content-type", "application/octet-stream"], {"kind": "bytearray", "value": "[1]"}),
    ],
)
def test_a_file_is_decoded_by_its_content_type(flow, wfctl, tmp_path, name, content, options, expected) -> None:
    folder = flow(ONE, ECHO)
    (tmp_path / name).write_bytes(content)
    done = wfctl("run", "-w", folder, *options, name)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize(
    ("piped", "kind"), [(b'{"a": 1}', "dict"), (b"hello there", "str"), (b"\xff\xfe\x00", "bytearray")]
)
def test_standard_input_is_json_text_or_bytes(flow, wfctl, piped, kind) -> None:
    done = wfctl("run", "-w", flow(ONE, ECHO), "-", stdin=piped)
    assert json.loads(done.stdout)["kind"] == kind


def test_fields_are_built_from_text_and_files(flow, wfctl, tmp_path) -> None:
    folder = flow(ONE, ECHO)
    (tmp_path / "part.json").write_text('{"k": 2}')
    assert json.loads(wfctl("run", "-w", folder, "-i", "field=some text").stdout) == {
        "kind": "bytearray",
        "value": "some text",
    }
    assert json.loads(wfctl("run", "-w", folder, "-i", "field=@part.json").stdout)["value"] == {"k": 2}


def test_the_folder_of_the_input_is_enough(flow, wfctl) -> None:
    folder = flow(ONE, ECHO)
    (folder / "input.json").write_text("[1]")
    assert wfctl("run", "input.json", cwd=folder).returncode == 0
    assert wfctl("run", folder / "input.json").returncode == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([], "INPUT"),
        (["nosuch.json"], "nosuch.json"),
        (["-i", "nameless"], "name=text"),
        (["-i", "a=@nosuch"], "nosuch"),
        (["/dev/zero"], "no end"),
        (["-i", "a=@/dev/zero"], "no end"),
        (["-i", "a=b", "-"], "either"),
        (["flow"], "name it with -w"),
        (["some.war"], "name it with -w"),
        (["broken.json"], "is not JSON: Expecting"),
        (["-i", "a=b", "-o", "nosuch/answer"], 'there is no folder "nosuch"'),
        (["-i", "a=b", "--content-type", "x/y"], "--content-type"),
    ],
)
def test_a_wrong_input_is_a_clear_error(flow, wfctl, tmp_path, words, hint) -> None:
    (tmp_path / "broken.json").write_text('{"a": 1')
    done = wfctl("run", "-w", flow(ONE, ECHO), *words)
    assert done.returncode in {1, 2}
    assert hint in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert done.stdout == b""


def test_a_breakpoint_in_a_worker_is_told_where_it_works(flow, wfctl) -> None:
    handler = "def only(data, context):\n    if data:\n        breakpoint()\n    return data\n"
    done = wfctl("run", "-w", flow(ONE, handler), "-", stdin=b"x")
    assert done.returncode == 3
    assert "hint: breakpoint() needs a terminal: wfctl run --inline" in done.stderr.decode()


def test_a_refused_workflow_is_not_told_of_an_option_that_run_lacks(flow, wfctl) -> None:
    handler = "def postprocess(data, context): ...\n"
    said = wfctl("run", "-w", flow("dag:\n  a: [postproces]\n", handler), "-", stdin=b"x").stderr.decode()
    assert '"postprocess"? (wfctl validate --fix does this)' in said


@pytest.mark.parametrize("how", [[], ["--inline"]])
def test_what_handlers_log_from_info_on_is_shown_as_it_is_there(flow, wfctl, how) -> None:
    handler = """
        import logging

        logger = logging.getLogger("mine")
        logger.info("loading")

        def only(data, context):
            logger.debug("silent")
            logger.info("data is %s", type(data).__name__)
            return data and [b"answer"]
    """
    done = wfctl("run", *how, "-w", flow(ONE, handler), "-", stdin=b"x")
    assert done.stdout == b"answer"
    assert done.stderr.decode().splitlines() == [
        f"[only] {line}" for line in ("loading", "data is NoneType", "data is list")
    ]


def test_what_handlers_print_never_mixes_with_the_answer(flow, wfctl) -> None:
    handler = """
        import ctypes, logging, os, sys

        def only(data, context):
            if data is None:
                return None
            print("a print")
            sys.stderr.write("an error line\\n")
            logging.warning("a log line")
            os.write(1, b"raw bytes\\n")
            libc = ctypes.CDLL(None)
            libc.printf(b"from C\\n")
            libc.fflush(None)
            return [b"answer"]
    """
    done = wfctl("run", "-w", flow(ONE, handler), "-", stdin=b"x")
    assert done.stdout == b"answer"
    lines = done.stderr.decode().splitlines()
    for text in ("a print", "an error line", "raw bytes", "from C"):
        assert f"[only] {text}" in lines
    assert any("a log line" in line and line.startswith("[only] ") for line in lines)


def test_what_handlers_write_past_python_never_mixes_with_the_answer_inline_either(flow, wfctl) -> None:
    handler = """
        import ctypes, os, subprocess, sys

        def only(data, context):
            if data is None:
                return None
            print("a print")
            ctypes.CDLL(None).puts(b"from C")
            os.write(1, b"raw bytes\\n")
            sys.__stdout__.write("past the stream\\n")
            subprocess.run(["echo", "from a program"])
            return [b"answer"]
    """
    done = wfctl("run", "--inline", "-w", flow(ONE, handler), "-", stdin=b"x")
    assert done.stdout == b"answer"
    lines = done.stderr.decode().splitlines()
    assert {"[only] a print", "from C", "raw bytes", "past the stream", "from a program"} <= set(lines)


def test_the_answer_is_byte_for_byte_the_leafs(flow, wfctl, tmp_path) -> None:
    handler = "def only(data, context):\n    return None if data is None else [bytes(range(256))]\n"
    folder = flow(ONE, handler)
    assert wfctl("run", "-w", folder, "-", stdin=b"x").stdout == bytes(range(256))
    done = wfctl("run", "-w", folder, "-o", "out.bin", "-", stdin=b"x")
    assert (tmp_path / "out.bin").read_bytes() == bytes(range(256))
    assert done.stdout == b""


def test_a_failing_node_exits_3_with_node_attempt_and_the_users_frames(flow, wfctl) -> None:
    handler = """
        def only(data, context):
            if data is None:
                return None
            return [inner(data[0]["body"])]

        def inner(body):
            raise RuntimeError(f"cannot read {body!r}")
    """
    done = wfctl("run", "-w", flow(ONE, handler), "-", stdin=b"[1]")
    text = done.stderr.decode()
    assert done.returncode == 3
    assert '"only"' in text
    assert "2 attempts" in text or "attempt 2 of 2" in text
    assert "cannot read [1]" in text
    assert text.count("handler.py") == 2
    assert "wfctl/hosting" not in text


def test_an_unsound_workflow_exits_1_with_its_findings(flow, wfctl) -> None:
    done = wfctl("run", "-w", flow("dag:\n  only: [nosuch]\n", ECHO), "-", stdin=b"x")
    assert done.returncode == 1
    assert "WF304" in done.stderr.decode()
    assert done.stdout == b""


def test_times_of_nodes_are_told_on_request(flow, wfctl) -> None:
    done = wfctl("run", "-v", "-w", flow(ONE, ECHO), "-", stdin=b"x")
    (line,) = [line for line in done.stderr.decode().splitlines() if line.startswith("only ")]
    assert line.split()[1] == "1"


def test_inline_gives_the_same_answer_in_one_process(flow, wfctl) -> None:
    handler = """
        import os

        def first(data, context):
            return None if data is None else [{"pid": os.getpid()}]

        def second(data, context):
            import json
            return None if data is None else [{**json.loads(data[0]["body"]), "second": os.getpid()}]
    """
    done = wfctl("run", "--inline", "-w", flow("dag:\n  first: [second]\n", handler), "-", stdin=b"x")
    answer = json.loads(done.stdout)
    assert answer["pid"] == answer["second"]


def _read_until(handle: int, wanted: bytes, seconds: float = 30.0) -> bytes:
    """Return what a terminal shows up to ``wanted``."""
    seen = b""
    deadline = time.monotonic() + seconds
    while wanted not in seen:
        left = deadline - time.monotonic()
        assert left > 0, f"never saw {wanted!r} in {seen!r}"
        if select.select([handle], [], [], left)[0]:
            try:
                chunk = os.read(handle, 65536)
            except OSError:
                chunk = b""
            assert chunk, f"the end came before {wanted!r}: {seen!r}"
            seen += chunk
    return seen


def _rest(handle: int) -> bytes:
    """Return what a terminal still shows after its program has ended."""
    try:
        return os.read(handle, 65536)
    except OSError:
        return b""


def _in_terminal(argv: list[str]) -> tuple[int, int]:
    pid, handle = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)
    return pid, handle


def test_json_is_indented_on_a_terminal(flow) -> None:
    folder = flow(ONE, "def only(data, context):\n    return None if data is None else ['{\"a\":1}']\n")
    (folder / "in.txt").write_text("x")
    pid, handle = _in_terminal([str(WFCTL), "run", "-w", str(folder), str(folder / "in.txt")])
    seen = _read_until(handle, b"}")
    os.waitpid(pid, 0)
    os.close(handle)
    assert b'{\r\n  "a": 1\r\n}' in seen


def test_bytes_never_reach_a_terminal(flow) -> None:
    folder = flow(ONE, "def only(data, context):\n    return None if data is None else [b'\\xff\\x1b]0;x']\n")
    (folder / "in.txt").write_text("x")
    pid, handle = _in_terminal([str(WFCTL), "run", "-w", str(folder), str(folder / "in.txt")])
    seen = _read_until(handle, b"-o FILE")
    _, status = os.waitpid(pid, 0)
    os.close(handle)
    assert os.waitstatus_to_exitcode(status) == 1
    assert b"\xff" not in seen


def _alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and _state(pid) != "Z"]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_ctrl_c_in_a_terminal_ends_every_process_within_two_seconds(flow) -> None:
    handler = """
        import os, time

        def only(data, context):
            if data is None:
                return None
            print("busy", os.getpid(), "of", os.getppid(), ".", flush=True)
            time.sleep(600)
    """
    folder = flow(ONE, handler)
    (folder / "in.txt").write_text("x")
    pid, handle = _in_terminal([str(WFCTL), "run", "-w", str(folder), str(folder / "in.txt")])
    seen = _read_until(handle, b" .")
    words = seen.split(b"busy ")[1].split()
    pids = [pid, int(words[0]), int(words[2])]
    started = time.monotonic()
    os.write(handle, b"\x03")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    while _alive(pids[1:]) and time.monotonic() - started < 5:
        time.sleep(0.01)
    assert time.monotonic() - started < 2
    os.close(handle)


def test_ctrl_c_while_a_node_loads_leaves_nothing_and_says_no_more_than_that(flow, tmp_path, monkeypatch) -> None:
    handler = """
        import signal
        print("loading .", flush=True)
        signal.pause()

        def only(data, context): ...
    """
    folder = flow(ONE, handler)
    (folder / "in.txt").write_text("x")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    pid, handle = _in_terminal([str(WFCTL), "run", "-w", str(folder), str(folder / "in.txt")])
    _read_until(handle, b" .")
    assert list((tmp_path / "temporary").iterdir())
    os.write(handle, b"\x03")
    seen = _read_until(handle, b"interrupted\r\n")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert seen.replace(b"\r\n", b"\n").split() == [b"^C", b"interrupted"]
    assert _rest(handle) == b""
    assert list((tmp_path / "temporary").iterdir()) == []
    os.close(handle)


@pytest.mark.parametrize(
    ("spec", "handler"),
    [
        (ONE, "def only(data, context):\n    if data:\n        print('busy', flush=True)\n        time.sleep(600)\n"),
        (ONE, "print('busy', flush=True)\ntime.sleep(600)\ndef only(data, context): ...\n"),
    ],
    ids=["in a handler", "in loading"],
)
def test_ctrl_c_ends_an_inline_run_at_once_and_without_a_traceback(flow, spec, handler) -> None:
    folder = flow(spec, f"import time\n{handler}")
    (folder / "in.txt").write_text("x")
    pid, handle = _in_terminal([str(WFCTL), "run", "--inline", "-w", str(folder), str(folder / "in.txt")])
    _read_until(handle, b"busy")
    started = time.monotonic()
    os.write(handle, b"\x03")
    said = _read_until(handle, b"interrupted")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert time.monotonic() - started < 2
    assert b"Traceback" not in said
    os.close(handle)


def test_a_reader_that_leaves_is_no_error(flow) -> None:
    handler = "def only(data, context):\n    return None if data is None else [b'x' * 5_000_000]\n"
    folder = flow(ONE, handler)
    (folder / "in.txt").write_text("x")
    process = subprocess.Popen(
        [WFCTL, "run", "-w", folder, folder / "in.txt"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(10)
    process.stdout.close()
    complaint = process.stderr.read().decode()
    assert process.wait(timeout=30) in {0, -signal.SIGPIPE}
    assert "Traceback" not in complaint
    process.stderr.close()


def test_until_shows_what_a_node_in_the_middle_returns(flow, wfctl) -> None:
    handler = "def first(data, context):\n    return data and [b'middle']\n\ndef second(data, context):\n    return data and [b'end']\n"
    folder = flow("dag:\n  first: [second]\n", handler)
    assert wfctl("run", "-w", folder, "--until", "first", "-", stdin=b"x").stdout == b"middle"
    done = wfctl("run", "-w", folder, "--until", "frist", "-", stdin=b"x")
    assert done.returncode == 1
    assert 'did you mean "first"?' in done.stderr.decode()


def test_a_closed_standard_input_is_a_clear_error(flow) -> None:
    folder = flow(ONE, ECHO)
    done = subprocess.run(
        ["sh", "-c", f'exec "{WFCTL}" run -w "{folder}" - <&-'], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "closed" in done.stderr


def test_an_envelope_is_put_around_models_by_name(flow, wfctl, tmp_path) -> None:
    folder = flow("models:\n  m: {url: m}\ndag:\n  m: []\n", "")
    (folder / "m").mkdir()
    (folder / "m" / "handler.py").write_text("def handle(data, context):\n    return data and [2 * x for x in data]\n")
    done = wfctl("run", "-", "-w", folder, "--service-envelope", "json", stdin=b'{"instances": [1, 2]}')
    assert (done.returncode, done.stdout) == (0, b'{"predictions": [2, 4]}')
    done = wfctl("run", "-", "-w", folder, "--service-envelope", "jsno", stdin=b"{}")
    assert done.returncode == 3
    assert b'there is no envelope "jsno" for node "m"' in done.stderr
    assert b"envelopes are body, json, kserve, kservev2" in done.stderr
