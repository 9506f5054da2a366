"""Workers that come and go for real: process ids appear under load, vanish when idle, and back off when they fail."""

import asyncio
import os
import signal
import time
from itertools import pairwise

import pytest
from fakes.faults import OBEDIENT, WAITS, ask, make_gate, open_gate, opened, pids_of, wait_gone, write_flow
from fakes.loops import on_a_loop
from local_workers import process_is_there

from wfctl.errors import RunError
from wfctl.spec.model import WorkerSettings

WIDE = {"max_batch_delay_ms": 0, "retry_attempts": 0, "timeout_ms": 60_000}
SAYS_WHO = "print('started', os.getpid(), flush=True)\n"


def started(lines):
    return [int(line.split()[1]) for line in lines if line.startswith("started")]


@on_a_loop
async def test_process_ids_appear_under_load_and_vanish_after_idle_s(tmp_path):
    settings = {"a": WorkerSettings(min_workers=1, max_workers=3, **WIDE)}
    plan = write_flow(tmp_path, "a > b", settings, {"a": OBEDIENT + SAYS_WHO}, idle_s=0.5)
    make_gate(tmp_path)
    async with opened(plan) as engine:
        (first,) = pids_of(engine)
        runs = [asyncio.create_task(ask(engine, WAITS)) for _ in range(9)]
        await engine.heard.until(lambda lines: lines.count("in") == 3)
        grown = pids_of(engine)
        assert len(grown) == 3
        assert first in grown
        assert all(map(process_is_there, grown))
        open_gate(tmp_path)
        assert all(isinstance(answer, bytes) for answer in await asyncio.gather(*runs))
        quiet_since = time.monotonic()
        assert len(started(engine.heard.lines)) == 3, "more were started than may be"
        left_at = [asyncio.create_task(_gone_at(pid)) for pid in grown]
        done, kept = await asyncio.wait(left_at, timeout=1.5)
        assert (len(done), len(kept)) == (2, 1)
        assert all(0.3 <= task.result() - quiet_since < 1.5 for task in done)
        for task in kept:
            task.cancel()
        (stayed,) = pids_of(engine)
        assert process_is_there(stayed)
        assert isinstance(await ask(engine), bytes)
        assert pids_of(engine) == (stayed,)


async def _gone_at(pid):
    await wait_gone(pid)
    return time.monotonic()


@on_a_loop
async def test_no_worker_is_added_for_requests_that_find_one_free(tmp_path):
    settings = {"a": WorkerSettings(min_workers=1, max_workers=4, **WIDE)}
    plan = write_flow(tmp_path, "a > b", settings, {"a": OBEDIENT + SAYS_WHO})
    async with opened(plan) as engine:
        for _ in range(200):
            assert isinstance(await ask(engine), bytes)
        assert len(started(engine.heard.lines)) == 1


BREAKS = """
import os.path, time
print('started', time.monotonic_ns() // 1_000_000, flush=True)
if os.path.exists('broken'):
    raise OSError('weights are gone')
"""


def gaps_s(lines):
    times = started(lines)
    return [(later - earlier) / 1000 for earlier, later in pairwise(times)]


@on_a_loop
async def test_load_failures_back_off_and_give_up_after_the_time_of_the_archive(tmp_path):
    plan = write_flow(
        tmp_path, "a > b", WorkerSettings(**WIDE), {"a": BREAKS + OBEDIENT}, node={"max_retry_timeout_s": 2.0}
    )
    async with opened(plan) as engine:
        (tmp_path / "a" / "broken").touch()
        lost_at = time.monotonic()
        os.kill(*pids_of(engine), signal.SIGKILL)
        error = await ask(engine)
        assert isinstance(error, RunError)
        assert error.status == 503
        assert "cannot be loaded any more" in error.message
        assert "weights are gone" in error.message
        assert "handler.py" in error.traceback_text
        assert 2.0 <= time.monotonic() - lost_at < 6.0
        _, *waits = gaps_s(engine.heard.lines)
        assert 1 <= len(waits) <= 3, "it was tried in quick succession, or not at all"
        assert all(0.9 <= wait < 3.0 for wait in waits)
        tried = len(started(engine.heard.lines))
        assert isinstance(await ask(engine), RunError)
        assert len(started(engine.heard.lines)) == tried


@on_a_loop
async def test_a_node_recovers_when_its_model_can_be_loaded_again(tmp_path):
    plan = write_flow(tmp_path, "a > b", WorkerSettings(**WIDE), {"a": BREAKS + OBEDIENT})
    async with opened(plan) as engine:
        (tmp_path / "a" / "broken").touch()
        os.kill(*pids_of(engine), signal.SIGKILL)
        waiting = asyncio.create_task(ask(engine))
        await engine.heard.until(lambda lines: len(started(lines)) == 3)
        (tmp_path / "a" / "broken").unlink()
        assert isinstance(await waiting, bytes)


@on_a_loop
@pytest.mark.parametrize("least", [1, 2], ids=["for load", "to replace one"])
async def test_failed_starts_back_off_though_another_worker_goes_on_answering(tmp_path, least):
    settings = {"a": WorkerSettings(min_workers=least, max_workers=2, **WIDE)}
    plan = write_flow(tmp_path, "a > b", settings, {"a": BREAKS + OBEDIENT})
    async with opened(plan) as engine:
        (tmp_path / "a" / "broken").touch()
        if least == 2:
            os.kill(pids_of(engine)[0], signal.SIGKILL)
        begun = time.monotonic()

        async def client():
            while time.monotonic() - begun < 3.5:
                assert isinstance(await ask(engine, "time.sleep(0.02)"), bytes)

        await asyncio.gather(*(client() for _ in range(20)))
        tries = len(started(engine.heard.lines)) - least
        assert 2 <= tries <= 5


@on_a_loop
async def test_a_node_whose_archive_forbids_it_gets_no_second_worker(tmp_path):
    plan = write_flow(tmp_path, "a > b", WorkerSettings(**WIDE), node={"max_retry_timeout_s": 0.0})
    async with opened(plan) as engine:
        error = await ask(engine, "os._exit(3)")
        assert isinstance(error, RunError)
        assert "maxRetryTimeoutInSec forbids another" in error.message
        assert pids_of(engine) == ()


@on_a_loop
async def test_a_worker_is_ended_after_the_response_timeout_of_its_archive(tmp_path):
    plan = write_flow(tmp_path, "a > b", WorkerSettings(**WIDE), node={"response_timeout_s": 0.3})
    async with opened(plan) as engine:
        (stuck,) = pids_of(engine)
        begun = time.monotonic()
        error = await ask(engine, "signal.pause()")
        assert isinstance(error, RunError)
        words = "it did not answer within its response timeout of 0.3 s, and was ended"
        assert error.message == f"the worker died 3 times while it ran this alone: {words}"
        assert time.monotonic() - begun < 10
        assert not process_is_there(stuck)
        assert isinstance(await ask(engine), bytes)
