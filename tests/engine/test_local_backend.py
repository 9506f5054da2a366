import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakes.loops import on_a_loop
from local_workers import ECHO, Remembering, call, plan_of, process_is_there, wait_gone, write_node

from wfctl.engine.backend import WorkerId
from wfctl.engine.local.backend import LocalBackend
from wfctl.errors import LoadError, WorkerError

ONE, TWO = WorkerId(1), WorkerId(2)


@asynccontextmanager
async def opened(*nodes, **settings):
    backend, told = LocalBackend(), Remembering()
    try:
        await backend.open(plan_of(*nodes, **settings), told)
        yield backend, told
    finally:
        await backend.close()


@on_a_loop
async def test_a_worker_answers_its_calls(tmp_path):
    async with opened(write_node(tmp_path, ECHO)) as (backend, told):
        report = await backend.start_worker("echo", ONE)
        assert (report.worker, report.node) == (ONE, "echo")
        assert process_is_there(report.pid)
        assert report.pid != os.getpid()
        backend.send_calls(ONE, [call(7, b"hello")])
        answer = await told.answer(7)
        assert (answer.body, answer.error) == (b"hello", None)
        assert 0 < answer.started_ns <= answer.finished_ns


@on_a_loop
async def test_the_end_of_a_batch_comes_in_one_order(tmp_path):
    async with opened(write_node(tmp_path, ECHO)) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(number, b"%d" % number) for number in range(5)])
        backend.send_calls(ONE, [call(5, b"5")])
        await told.answer(5)
        assert [(number, answer.body) for number, answer in told.answers.items()] == [
            (number, b"%d" % number) for number in range(6)
        ]


@on_a_loop
async def test_large_payloads_travel_without_blocking_the_loop(tmp_path):
    body = bytes(range(256)) * 100_000
    async with opened(write_node(tmp_path, ECHO)) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, body)])
        backend.send_calls(ONE, [call(2, body), call(3, b"small"), call(4, body)])
        await told.answer(4)
        assert told.answers[1].body == told.answers[2].body == told.answers[4].body == body
        assert told.answers[3].body == b"small"


@on_a_loop
async def test_every_node_has_its_own_process(tmp_path):
    pid_source = "import os\ndef {name}(data, context):\n    return data and [str(os.getpid()) for _ in data]\n"
    nodes = [write_node(tmp_path, pid_source.format(name=name), name) for name in ("first", "second")]
    async with opened(*nodes) as (backend, told):
        reports = await asyncio.gather(backend.start_worker("first", ONE), backend.start_worker("second", TWO))
        backend.send_calls(ONE, [call(1)])
        backend.send_calls(TWO, [call(2)])
        await told.answer(1)
        await told.answer(2)
        pids = [int(told.answers[number].body) for number in (1, 2)]
        assert pids == [report.pid for report in reports]
        assert len({*pids, os.getpid()}) == 3


@on_a_loop
async def test_a_handler_that_does_not_load_is_told_with_its_traceback(tmp_path):
    source = "print('before')\nraise ValueError('no weights here')\n"
    async with opened(write_node(tmp_path, source)) as (backend, told):
        with pytest.raises(LoadError) as caught:
            await backend.start_worker("echo", ONE)
        assert caught.value.node == "echo"
        assert "no weights here" in caught.value.message
        assert "handler.py" in caught.value.traceback_text
        assert "wfctl" not in caught.value.traceback_text
        assert told.printed() == ["before"]
        assert told.lost == []


@on_a_loop
@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("os._exit(7)", "exit code 7"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "out of memory"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    ],
)
async def test_a_worker_that_dies_while_loading_is_told(tmp_path, ending, words):
    async with opened(write_node(tmp_path, f"import os, signal\n{ending}\n")) as (backend, told):
        with pytest.raises(WorkerError, match=words):
            await backend.start_worker("echo", ONE)
        assert told.lost == []


@on_a_loop
async def test_a_worker_that_is_not_ready_in_time_is_gone(tmp_path):
    source = "import os, signal\nprint(os.getpid(), flush=True)\nsignal.pause()\n"
    async with opened(write_node(tmp_path, source), startup_timeout_s=1.0) as (backend, told):
        with pytest.raises(TimeoutError, match="not ready after 1 seconds"):
            await backend.start_worker("echo", ONE)
        (pid,) = map(int, told.printed())
        assert not process_is_there(pid)
        assert told.lost == []


@on_a_loop
async def test_giving_up_a_start_ends_the_worker(tmp_path):
    source = "import os, signal\nprint(os.getpid(), flush=True)\nsignal.pause()\n"
    async with opened(write_node(tmp_path, source)) as (backend, told):
        start = asyncio.create_task(backend.start_worker("echo", ONE))
        await told.until(told.printed)
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        assert wait_gone(map(int, told.printed())) == []
        assert told.lost == []


DYING = """
import ctypes, os, signal, sys, threading
def echo(data, context):
    if data is None:
        return None
    exec(bytes(data[0]["body"]).decode())
    return [row["body"] for row in data]
"""


@on_a_loop
@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("os._exit(7)", "exit code 7"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL; the machine may have run out of memory"),
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("os.closerange(3, 1000)", "exit code"),
        ("os.closerange(0, 1000)", "exit code"),
    ],
)
async def test_a_lost_worker_is_told_once_with_the_reason(tmp_path, ending, words):
    async with opened(write_node(tmp_path, DYING)) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, ending.encode())])
        assert words in (await told.loss())[1]
        backend.send_calls(ONE, [call(2)])
        backend.kill_worker(ONE)
        await backend.start_worker("echo", TWO)
        assert len(told.lost) == 1
        assert told.answers == {}


@on_a_loop
async def test_a_worker_that_closed_its_connection_and_lives_on_is_ended(tmp_path):
    async with opened(write_node(tmp_path, DYING)) as (backend, told):
        report = await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, b"os.closerange(3, 1000); signal.pause()")])
        assert await told.loss() == (ONE, "it closed its connection")
        assert not process_is_there(report.pid)


@on_a_loop
async def test_answers_given_before_the_end_are_not_lost(tmp_path):
    async with opened(write_node(tmp_path, DYING)) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, b"pass")])
        backend.send_calls(ONE, [call(2, b"print('last words', end='', flush=True); os._exit(1)")])
        await told.loss()
        assert list(told.answers) == [1]
        assert told.printed() == ["last words"]


@on_a_loop
@pytest.mark.parametrize("ending", ["sys.exit(3)", "raise KeyboardInterrupt", "raise SystemError('odd')"])
async def test_a_worker_outlives_whatever_its_handler_raises(tmp_path, ending):
    async with opened(write_node(tmp_path, DYING)) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, ending.encode())])
        answer = await told.answer(1)
        assert answer.error is not None
        assert "handler.py" in answer.error.traceback_text
        backend.send_calls(ONE, [call(2, b"pass")])
        assert (await told.answer(2)).error is None


@on_a_loop
async def test_a_process_that_the_handler_forked_does_not_answer_too(tmp_path):
    forks = b"if os.fork(): assert not os.wait()[1] & 127; data[0]['body'] = b'the worker'"
    async with opened(write_node(tmp_path, DYING)) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, forks)])
        assert (await told.answer(1)).body == b"the worker"
        backend.send_calls(ONE, [call(2, b"pass")])
        assert (await told.answer(2)).error is None
        assert told.lost == []


@on_a_loop
async def test_a_killed_worker_is_lost_whatever_it_does(tmp_path):
    async with opened(write_node(tmp_path, DYING)) as (backend, told):
        report = await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, b"print('in', flush=True); ctypes.PyDLL(None).sleep(1000)")])
        await told.until(told.printed)
        backend.kill_worker(ONE)
        assert await told.loss() == (ONE, "it was ended by the engine")
        assert not process_is_there(report.pid)


@on_a_loop
async def test_bytes_that_are_no_answer_end_the_worker(tmp_path):
    # The socket is the one descriptor of the worker that is a stream socket.
    writes = "import socket, stat\nfor fd in range(3, 50):\n  try: os.write(fd, b'x' * 100) if stat.S_ISSOCK(os.fstat(fd).st_mode) else 0\n  except OSError: pass"
    async with opened(write_node(tmp_path, DYING)) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, writes.encode())])
        assert "cannot be read" in (await told.loss())[1]


@on_a_loop
async def test_whatever_a_handler_prints_is_told_with_its_node(tmp_path):
    prints = """
import ctypes, os, subprocess, sys
def echo(data, context):
    if data is None:
        return None
    print("python")
    print("größer", file=sys.stderr)
    os.write(1, b"descriptor\\n")
    libc = ctypes.CDLL(None)
    libc.printf(b"printf\\n")
    libc.fflush(None)
    subprocess.run(["echo", "child"], check=True)
    os.system("echo shell >&2")
    assert not sys.stdin.read()
    return data
"""
    async with opened(write_node(tmp_path, prints)) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1)])
        await told.until(lambda: len(told.lines) == 6)
        assert told.printed("stdout") == ["python", "descriptor", "printf", "child"]
        assert told.printed("stderr") == ["größer", "shell"]
        assert {node for node, _, _ in told.lines} == {"echo"}


@on_a_loop
@pytest.mark.parametrize("ending", ["sys.stdout.close()", "os.close(1)", "sys.stdout = sys.stderr = None"])
async def test_a_handler_may_close_its_output_and_end_in_good_order(tmp_path, ending):
    source = f"import atexit, os, sys\n{ECHO}\n".replace("return [", f"{ending}\n    return [")
    async with opened(write_node(tmp_path, source)) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, b"quiet")])
        assert (await told.answer(1)).body == b"quiet"
    assert told.lines == []


@on_a_loop
async def test_idle_workers_clean_up_when_the_backend_closes(tmp_path):
    source = ECHO + "import atexit\natexit.register(print, 'cleaned up')\n"
    async with opened(write_node(tmp_path, source)) as (backend, told):
        await backend.start_worker("echo", ONE)
    assert told.printed() == ["cleaned up"]
    assert told.lost == []


@on_a_loop
async def test_closing_ends_workers_that_are_busy_within_two_seconds(tmp_path):
    loop = asyncio.get_running_loop()
    async with opened(write_node(tmp_path, DYING)) as (backend, told):
        pids = [(await backend.start_worker("echo", WorkerId(number))).pid for number in range(3)]
        backend.send_calls(ONE, [call(1, b"print('in'); signal.pause()")])
        backend.send_calls(TWO, [call(2, b"print('in'); ctypes.PyDLL(None).sleep(1000)")])
        await told.until(lambda: len(told.lines) == 2)
        server = backend.statistics().fork_server_pid
        begun = loop.time()
        await backend.close()
        assert loop.time() - begun < 2.0
        assert [pid for pid in (*pids, server) if process_is_there(pid)] == []
        await backend.close()
        assert told.lost == []


def descriptors() -> set[str]:
    # The folder itself is open while it is read.
    return {str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()}


def test_nothing_stays_open_and_no_process_is_left(tmp_path):
    node = write_node(tmp_path, DYING)
    before = descriptors()

    @on_a_loop
    async def live():
        async with opened(node) as (backend, told):
            await backend.start_worker("echo", ONE)
            await backend.start_worker("echo", TWO)
            backend.send_calls(ONE, [call(1, b"os._exit(1)")])
            await told.loss()

    live()
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@on_a_loop
async def test_a_backend_that_was_never_opened_closes(tmp_path):
    backend = LocalBackend()
    await backend.close()
    await backend.close()
    with pytest.raises(WorkerError, match="not open"):
        await backend.start_worker("echo", ONE)


@on_a_loop
async def test_closing_while_the_fork_server_imports_ends_it(tmp_path):
    backend = LocalBackend()
    await backend.open(plan_of(write_node(tmp_path, ECHO + "# torch")), Remembering())
    start = asyncio.create_task(backend.start_worker("echo", ONE))
    await asyncio.sleep(0)
    server = backend.statistics().fork_server_pid
    await backend.close()
    with pytest.raises(WorkerError):
        await start
    assert not process_is_there(server)


@on_a_loop
async def test_cancelling_the_close_still_ends_everything(tmp_path):
    async with opened(write_node(tmp_path, DYING)) as (backend, told):
        report = await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, b"print('in'); signal.pause()")])
        await told.until(told.printed)
        closing = asyncio.create_task(backend.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    assert not process_is_there(report.pid)


@on_a_loop
async def test_a_fork_server_that_cannot_import_says_why(tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise OSError('libcuda is not what it was')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    async with opened(write_node(tmp_path, ECHO + "# torch")) as (backend, _):
        for _attempt in range(2):
            with pytest.raises(WorkerError, match='"torch" cannot be imported: OSError: libcuda is not what it was'):
                await backend.start_worker("echo", ONE)


@on_a_loop
async def test_a_fork_server_that_was_killed_is_replaced(tmp_path):
    async with opened(write_node(tmp_path, DYING)) as (backend, told):
        report = await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, b"if not os.fork(): signal.pause()\nprint('forked'); signal.pause()")])
        await told.until(told.printed)
        os.kill(backend.statistics().fork_server_pid, 9)
        worker, reason = await told.loss()
        assert worker == ONE
        assert "the process that starts workers ended" in reason
        assert wait_gone([report.pid]) == []
        await backend.start_worker("echo", TWO)
        backend.send_calls(TWO, [call(2, b"pass")])
        assert (await told.answer(2)).error is None


@on_a_loop
async def test_nothing_of_a_library_is_imported_for_handlers_that_do_not_mention_it(tmp_path):
    source = "import sys\ndef echo(data, context):\n    return data and [str('to' + 'rch' in sys.modules)]\n"
    nodes = [write_node(tmp_path, source)]
    async with opened(*nodes) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1)])
        assert (await told.answer(1)).body == b"False"


@on_a_loop
async def test_a_batch_too_large_for_a_frame_fails_by_itself(tmp_path, monkeypatch):
    async with opened(write_node(tmp_path, ECHO)) as (backend, told):
        monkeypatch.setattr("wfctl.engine.wire.frames.MAX_BODY", 5000)
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, b"x" * 6000)])
        error = (await told.answer(1)).error
        assert error is not None
        assert "too many" in error.message
        backend.send_calls(ONE, [call(2, b"x" * 4000)])
        assert (await told.answer(2)).body == b"x" * 4000


@on_a_loop
async def test_answers_too_large_for_a_frame_fail_by_themselves(tmp_path):
    source = ECHO + "import wfctl.engine.wire.frames as frames\nframes.MAX_BODY = 1000\n"
    async with opened(write_node(tmp_path, source)) as (backend, told):
        await backend.start_worker("echo", ONE)
        backend.send_calls(ONE, [call(1, b"x" * 2000)])
        error = (await told.answer(1)).error
        assert error.message == "the answer cannot be sent: 2040 bytes are too many for one batch"
        assert (error.status, error.is_final, error.is_of_batch) == (503, True, False)


@on_a_loop
async def test_a_library_that_is_not_installed_is_missed_by_the_handler_that_wants_it(tmp_path, monkeypatch):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "none"))
    nodes = write_node(tmp_path, ECHO + "# torch"), write_node(tmp_path, "import torch", "wants")
    async with opened(*nodes) as (backend, _):
        await backend.start_worker("echo", ONE)
        with pytest.raises(LoadError, match="no torch"):
            await backend.start_worker("wants", TWO)
