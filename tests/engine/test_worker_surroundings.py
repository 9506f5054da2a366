import asyncio
import json
import os
import resource
import signal
import sys
from pathlib import Path

import pytest
from fakes.loops import on_a_loop
from local_workers import ECHO, Remembering, call, plan_of, process_is_there, write_node

from wfctl.engine.backend import WorkerId
from wfctl.engine.local.backend import LocalBackend
from wfctl.engine.local.endings import describe_ending
from wfctl.errors import UnsupportedError, WorkerError

ONE, TWO = WorkerId(1), WorkerId(2)
ASKS = """
import json, os, sys, signal{more}
def echo(data, context):
    return data and [json.dumps(eval(bytes(row["body"]).decode())) for row in data]
"""


def answers_of(folder, *questions: str, more: str = "", workers: int = 1):
    """Return what each of some workers, one after another, says to the questions."""

    @on_a_loop
    async def ask():
        backend, told = LocalBackend(), Remembering()
        await backend.open(plan_of(write_node(folder, ASKS.format(more=more))), told)
        try:
            for worker in range(workers):
                await backend.start_worker("echo", WorkerId(worker))
                calls = [call(worker * 100 + at, each.encode()) for at, each in enumerate(questions)]
                backend.send_calls(WorkerId(worker), calls)
                await told.answer(calls[-1].call_id)
        finally:
            await backend.close()
        for answer in told.answers.values():
            assert answer.error is None, answer.error.traceback_text
        said.extend(json.loads(answer.body) for answer in told.answers.values())

    said: list = []
    ask()
    return said


def test_a_worker_is_light(tmp_path):
    (modules,) = answers_of(tmp_path, "sorted(sys.modules)")
    heavy = {"click", "rich", "jsonschema", "yaml", "asyncio", "multiprocessing", "ssl", "http", "torch", "numpy"}
    assert heavy.isdisjoint(modules)
    rooms = {name.split(".")[1] for name in modules if name.startswith("wfctl.")}
    assert rooms.isdisjoint({"cli", "web", "service", "check", "render", "archive", "store"})
    assert not {"wfctl.spec.source", "wfctl.spec.schema", "wfctl.engine.core", "wfctl.engine.engine"} & set(modules)


def test_a_worker_is_where_its_handler_is(tmp_path):
    place, first, rest, words = answers_of(tmp_path, "os.getcwd()", "sys.path[0]", "sys.path[1:]", "sys.argv")
    assert place == first == str(tmp_path / "echo")
    assert "" not in rest
    assert words == ["wfctl-worker"]


def test_the_environment_of_the_user_reaches_handlers(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "mine"))
    monkeypatch.setenv("MY_SETTING", "größer")
    path, setting = answers_of(tmp_path, "sys.path", "os.environ['MY_SETTING']")
    assert str(tmp_path / "mine") in path
    assert setting == "größer"


def test_a_worker_leads_a_session_and_minds_no_interrupt(tmp_path):
    pid, session, interrupt, terminate, children = answers_of(
        tmp_path,
        "os.getpid()",
        "os.getsid(0)",
        "int(signal.getsignal(signal.SIGINT))",
        "int(signal.getsignal(signal.SIGTERM))",
        "int(signal.getsignal(signal.SIGCHLD))",
    )
    assert pid == session
    assert (interrupt, terminate, children) == (signal.SIG_IGN, signal.SIG_DFL, signal.SIG_DFL)


def test_a_worker_interrupts_nobody_when_it_has_work_again(tmp_path):
    assert answers_of(tmp_path, "os.sched_getscheduler(0)") == [os.SCHED_BATCH]


def test_a_worker_has_only_its_own_files_open(tmp_path):
    (files,) = answers_of(
        tmp_path, "[os.readlink(f'/proc/self/fd/{fd}') for fd in range(30) if os.path.exists(f'/proc/self/fd/{fd}')]"
    )
    assert files[0] == "/dev/null"
    assert [name.split(":")[0] for name in files[1:]] == ["pipe", "pipe", "/memfd", "socket"]


def test_workers_divide_the_cores_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    question = "[os.environ['OMP_NUM_THREADS'], os.environ['MKL_NUM_THREADS'], torch.get_num_threads()]"
    cores = len(os.sched_getaffinity(0))
    assert answers_of(tmp_path / "one", question, more=", torch") == [[str(cores), str(cores), cores]]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert answers_of(tmp_path / "two", question, more=", torch") == [["3", str(cores), 3]]


def test_workers_draw_different_random_numbers(tmp_path):
    first, second = answers_of(
        tmp_path, "[numpy.random.random(), random.random()]", more=", torch, numpy, random", workers=2
    )
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_workers_fork_from_a_server_with_one_thread_and_torch_loaded(tmp_path):
    threads, has_torch = answers_of(
        tmp_path,
        "len(os.listdir(f'/proc/{os.getppid()}/task'))",
        "'libtorch' in open(f'/proc/{os.getppid()}/maps').read()",
        more="\n# torch",
    )
    assert (threads, has_torch) == (1, True)


@on_a_loop
async def test_many_messages_to_a_server_that_does_not_listen_are_kept(tmp_path):
    backend, told = LocalBackend(), Remembering()
    await backend.open(plan_of(write_node(tmp_path, ECHO)), told)
    try:
        report = await backend.start_worker("echo", ONE)
        server = backend.statistics().fork_server_pid
        os.kill(server, signal.SIGSTOP)
        for _ in range(3000):
            backend.kill_worker(ONE)
        assert process_is_there(report.pid)
        start = asyncio.create_task(backend.start_worker("echo", TWO))
        await asyncio.sleep(0)
        os.kill(server, signal.SIGCONT)
        await told.loss()
        await start
        assert told.lost == [(ONE, "it was ended by the engine")]
    finally:
        await backend.close()


def open_files() -> set[int]:
    return {int(fd.name) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()}


@on_a_loop
async def test_a_lack_of_open_files_is_told_and_leaves_none_open(tmp_path):
    backend = LocalBackend()
    await backend.open(plan_of(write_node(tmp_path, ECHO)), Remembering())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        await backend.start_worker("echo", ONE)
        there = open_files()
        free = [number for number in range(200) if number not in there]
        for allowed in range(6):
            resource.setrlimit(resource.RLIMIT_NOFILE, (free[allowed], hard))
            with pytest.raises(WorkerError, match="cannot be started") as caught:
                await backend.start_worker("echo", TWO)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert "ulimit -n" in caught.value.hint
            assert open_files() == there
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await backend.close()


@on_a_loop
async def test_an_interpreter_that_is_gone_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    backend = LocalBackend()
    with pytest.raises(WorkerError, match="cannot be started"):
        await backend.open(plan_of(write_node(tmp_path, ECHO)), Remembering())
    await backend.close()


@on_a_loop
async def test_other_platforms_are_refused_with_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UnsupportedError, match="win32") as caught:
        await LocalBackend().open(plan_of(write_node(tmp_path, ECHO)), Remembering())
    assert "--inline" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "the process is gone"),
        (3, "the process ended itself with exit code 3"),
        (137, "the process was killed by SIGKILL; the machine may have run out of memory"),
        (-9, "the process was killed by SIGKILL; the machine may have run out of memory"),
        (-11, "the process died of SIGSEGV"),
        (-99, "the process died of signal 99"),
    ],
)
def test_endings_are_told_in_words(code, words):
    assert describe_ending(code) == words
