"""Handlers that misbehave, in real workers: their request fails, its neighbours and the engine live on.

Covers T50 and T52 of the list of attacks. T51 (weights only) is in ``tests/handlers/test_pickles.py`` and
``test_weights.py``, T53 (shadowing) in ``tests/service/test_shadowing.py`` and ``tests/contract``, T54 (folders) in
``tests/journeys/test_run_killed.py`` and ``tests/service/test_workplace.py``, T55 and T56 in ``test_faults_isolation.py``.
"""

import asyncio
import os
import signal

import pytest
from fakes.faults import OBEDIENT, ask, opened, pids_of, wait_gone, write_flow
from fakes.loops import on_a_loop
from local_workers import process_is_there

from wfctl.errors import DeadlineExceededError, RunError
from wfctl.spec.model import WorkerSettings

PATIENT = WorkerSettings(max_batch_delay_ms=0, retry_attempts=0, timeout_ms=60_000)
HURRIED = WorkerSettings(max_batch_delay_ms=0, retry_attempts=0, timeout_ms=300)


@on_a_loop
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("answers.append(b'one more')", "number of batch response mismatched"),
        ("answers.clear()", "number of batch response mismatched"),
        ("answers[0] = object()", "Unsupported model output data type"),
        ("answers[0] = []; answers[0].append(answers[0])", "Unsupported model output data type"),
        ("answers[0] = answers", "Unsupported model output data type"),
        ("answers[0] = type('Odd', (), {'__reduce__': lambda self: (os.system, ('echo > hacked',))})()", "Unsupported"),
        ("answers[0] = type('Odd', (str,), {'encode': lambda *_: 1 / 0})('x')", "ZeroDivisionError"),
        ("answers[0] = '\\ud800'", "Unsupported model output data type"),
        ("answers[0] = bytes(2**31 + 1)", "the answer cannot be sent: 2147483689 bytes are too many for one batch"),
        ("answers[0] = 10 ** 5000", "Unsupported"),
    ],
)
async def test_t50_an_output_that_is_none_fails_its_request_and_no_other(tmp_path, code, words):
    async with opened(write_flow(tmp_path, "a > b", PATIENT)) as engine:
        (before,) = pids_of(engine)
        error = await ask(engine, code)
        assert isinstance(error, RunError), error
        assert words in error.message or words in str(error)
        assert isinstance(await ask(engine), bytes)
        assert pids_of(engine) == (before,)
    assert not (tmp_path / "a" / "hacked").exists()


@on_a_loop
@pytest.mark.parametrize("megabytes", [100, pytest.param(600, marks=pytest.mark.slow)])
async def test_t50_a_huge_answer_comes_through_while_others_are_served(tmp_path, megabytes):
    handlers = {"b": "def handle(data, context):\n    return data and [bytes(row['body'])[:40] for row in data]"}
    settings = {"a": WorkerSettings(max_batch_delay_ms=0, min_workers=2, max_workers=2, timeout_ms=60_000)}
    async with opened(write_flow(tmp_path, "a > b", settings, handlers)) as engine:
        huge = asyncio.create_task(ask(engine, f"answers[0] = answers[0].ljust({megabytes} * 2**20)"))
        small = 0
        while not huge.done():
            assert isinstance(await ask(engine), bytes)
            small += 1
        assert isinstance(await huge, bytes)
        assert small > 5


@on_a_loop
@pytest.mark.parametrize(
    "ending", ["sys.exit(3)", "raise KeyboardInterrupt", "raise MemoryError", "raise GeneratorExit"]
)
async def test_t52_a_worker_outlives_what_its_handler_raises(tmp_path, ending):
    async with opened(write_flow(tmp_path, "a > b", PATIENT)) as engine:
        before = pids_of(engine)
        error = await ask(engine, ending)
        assert isinstance(error, RunError)
        assert "handler.py" in error.traceback_text
        assert isinstance(await ask(engine), bytes)
        assert pids_of(engine) == before


ENDINGS = {
    "exits": "os._exit(3)",
    "aborts": "os.abort()",
    "is killed": "os.kill(os.getpid(), 9)",
    "asks to be terminated": "os.kill(os.getpid(), 15)",
    "reads where nothing is": "ctypes.string_at(8)",
    "kills its group": "os.killpg(0, 9)",
    "is ended by a thread": "threading.Thread(target=os._exit, args=(1,)).start(); time.sleep(30)",
    "closes all that is open": "os.closerange(0, 100)",
    "closes all that is open and takes the numbers": "os.closerange(0, 100); [os.open('/dev/zero', 2) for _ in range(99)]",
    "writes into all that is open": (
        "for fd in range(3, 100):\n  try: os.write(fd, b'rubbish' * 9)\n  except OSError: pass"
    ),
}


@on_a_loop
@pytest.mark.parametrize("code", ENDINGS.values(), ids=ENDINGS)
async def test_t52_a_request_that_ends_its_worker_fails_and_the_next_ones_are_served(tmp_path, code):
    async with opened(write_flow(tmp_path, "a > b", PATIENT)) as engine:
        before = pids_of(engine)
        error = await ask(engine, code)
        assert isinstance(error, RunError)
        assert not isinstance(error, DeadlineExceededError), error
        assert "the worker died 3 times while it ran this alone" in error.message
        assert isinstance(await ask(engine), bytes)
        assert pids_of(engine) != before
        assert engine.statistics().stray_answers == 0


BLOCKS = {
    "in Python": "signal.pause()",
    "in C, holding the interpreter": "ctypes.PyDLL(None).sleep(1000)",
    "deaf to signals": "[signal.signal(each, signal.SIG_IGN) for each in (1, 2, 3, 15)]; signal.pause()",
    "computing": "while True: pass",
}


@on_a_loop
@pytest.mark.parametrize("code", BLOCKS.values(), ids=BLOCKS)
async def test_t52_a_request_that_blocks_is_given_up_and_its_worker_replaced(tmp_path, code):
    async with opened(write_flow(tmp_path, "a > b", HURRIED)) as engine:
        (blocked,) = pids_of(engine)
        error = await ask(engine, code)
        assert isinstance(error, DeadlineExceededError)
        assert "the handler did not answer" in error.message
        await wait_gone(blocked)
        assert isinstance(await _asked_until_served(engine), bytes)


async def _asked_until_served(engine):
    """Ask until a worker is there again: meanwhile requests are refused or time out, as they should."""
    while not isinstance(answer := await ask(engine), bytes):
        assert isinstance(answer, DeadlineExceededError)
    return answer


@on_a_loop
async def test_t52_memory_that_runs_out_fails_the_request_and_not_the_worker(tmp_path):
    handler = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
    async with opened(write_flow(tmp_path, "a > b", PATIENT, {"a": handler + OBEDIENT})) as engine:
        before = pids_of(engine)
        error = await ask(engine, "hoard = [bytearray(b'x') * 10**6 for _ in range(10**6)]")
        assert isinstance(error, RunError)
        assert (error.message, error.status) == ("Out of resources", 507)
        assert isinstance(await ask(engine), bytes)
        assert isinstance(await ask(engine, "answers[0] = answers[0].ljust(2 * 10**9)"), RunError)
        assert isinstance(await ask(engine), bytes)
        assert pids_of(engine) == before


@on_a_loop
async def test_t52_an_input_too_large_for_the_workers_memory_fails_alone(tmp_path):
    handler = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))\n"
    # Its worker dies before it has begun anything, so nobody is to blame; what ends it is its own time.
    settings = {"a": WorkerSettings(max_batch_delay_ms=0, retry_attempts=0, timeout_ms=2000)}
    async with opened(write_flow(tmp_path, "a > b", settings, {"a": handler + OBEDIENT})) as engine:
        assert isinstance(await ask(engine, "#" + "x" * 2**29), DeadlineExceededError)
        assert isinstance(await _asked_until_served(engine), bytes)


FORKS = """
pid = os.fork()
if not pid:
    {leaves}
    signal.pause()
print(pid, flush=True)
"""


@on_a_loop
@pytest.mark.parametrize("leaves", ["pass", "os.setsid()"], ids=["stays in the group", "leaves the group"])
async def test_t52_what_a_handler_forked_holds_nothing_up_and_ends_with_the_engine(tmp_path, leaves):
    plan = write_flow(tmp_path, "a > b", PATIENT)
    async with opened(plan) as engine:
        for _ in range(3):
            assert isinstance(await ask(engine, FORKS.format(leaves=leaves)), bytes)
        await engine.heard.until(lambda lines: len(lines) == 3)
        children = list(map(int, engine.heard.lines))
        assert all(map(process_is_there, children))
        (worker,) = pids_of(engine)
        os.kill(worker, signal.SIGKILL)
        await wait_gone(worker)
        assert isinstance(await ask(engine), bytes)
        if leaves == "pass":
            await wait_gone(*children)
    assert not any(map(process_is_there, children))


@on_a_loop
async def test_t52_a_child_that_comes_back_from_the_handler_answers_nothing_and_clears_nobody(tmp_path):
    # The child runs on as if it were the worker, to its end; then the worker dies of the same request.
    code = "pid = os.fork()\nif pid:\n  os.waitpid(pid, 0); os._exit(1)"
    async with opened(write_flow(tmp_path, "a > b", PATIENT)) as engine:
        error = await ask(engine, code)
        assert isinstance(error, RunError)
        assert "the worker died 3 times while it ran this alone" in error.message
        assert isinstance(await ask(engine), bytes)
        assert engine.statistics().stray_answers == 0


@on_a_loop
async def test_t52_what_handlers_print_never_reaches_the_protocol(tmp_path):
    code = "os.write(1, b'wf\\5\\0' + bytes(16)); print('x' * 200_000); sys.stdout.write('\\0' * 9); os.write(2, bytes(range(256)) + b'\\n')"
    async with opened(write_flow(tmp_path, "a > b", PATIENT)) as engine:
        before = pids_of(engine)
        for _ in range(20):
            assert isinstance(await ask(engine, code), bytes)
        assert pids_of(engine) == before
        await engine.heard.until(lambda lines: sum(line.count("x") for line in lines) == 20 * 200_000 + 20)


@on_a_loop
async def test_t52_a_process_that_never_stops_printing_does_not_hold_up_the_answers(tmp_path):
    code = "subprocess.Popen(['yes', 'y' * 1000]); print('spawned')"
    async with opened(write_flow(tmp_path, "a > b", PATIENT)) as engine:
        assert isinstance(await ask(engine, code), bytes)
        for _ in range(200):
            assert isinstance(await ask(engine), bytes)
        os.kill(*pids_of(engine), signal.SIGKILL)
        assert isinstance(await ask(engine), bytes)
