"""Calls handed to a worker ahead of their time, when something happens before it begins them."""

import asyncio
import time

import pytest
from fakes.faults import WAITS, Crowd, ask, make_gate, open_gate, opened, pids_of, wait_gone, write_flow
from fakes.loops import on_a_loop

from wfctl.errors import DeadlineExceededError, RunError
from wfctl.spec.model import WorkerSettings

FAST = {"max_batch_delay_ms": 0, "retry_attempts": 0, "timeout_ms": 60_000}


def gated(tmp_path, plan_settings, edges="a > b", **more):
    """Return a plan whose requests can be made to wait (``WAITS``) until the gate is opened."""
    plan = write_flow(tmp_path, edges, {"a": WorkerSettings(**plan_settings)}, **more)
    make_gate(tmp_path)
    return plan


async def warm_up(engine, workers: int = 1):
    """Show the engine that the node is fast, so that it hands calls ahead."""
    node = engine._state.nodes[0]
    async with asyncio.timeout(60):  # on a busy machine the first answers are slow, and the average forgets slowly
        while node.credit <= node.batch_size:
            await asyncio.gather(*(ask(engine) for _ in range(2 * workers)))


@on_a_loop
async def test_what_a_blocked_worker_has_not_begun_is_answered_by_a_free_one_at_once(tmp_path):
    async with opened(gated(tmp_path, FAST | {"min_workers": 2, "max_workers": 2})) as engine:
        await warm_up(engine, 2)
        blocked = asyncio.create_task(ask(engine, WAITS))
        await engine.heard.until(lambda lines: "in" in lines)
        node = engine._state.nodes[0]
        node.credit = 512  # as of a node that answers in two microseconds
        begun = time.monotonic()
        answers = await asyncio.gather(*(ask(engine) for _ in range(300)))
        assert all(isinstance(answer, bytes) for answer in answers)
        assert time.monotonic() - begun < 1.0
        assert not blocked.done()
        open_gate(tmp_path)
        assert isinstance(await blocked, bytes)


@on_a_loop
async def test_a_request_that_blocks_keeps_none_of_those_that_came_with_it(tmp_path):
    async with opened(gated(tmp_path, FAST | {"min_workers": 2, "max_workers": 2})) as engine:
        await warm_up(engine, 2)
        engine._state.nodes[0].credit = 512
        begun = time.monotonic()
        tasks = [asyncio.create_task(ask(engine, WAITS if number == 20 else "")) for number in range(300)]
        blocked = tasks.pop(20)
        assert all(isinstance(answer, bytes) for answer in await asyncio.gather(*tasks))
        assert time.monotonic() - begun < 1.0
        open_gate(tmp_path)
        assert isinstance(await blocked, bytes)
        assert engine.statistics().stray_answers == 0


@on_a_loop
async def test_under_load_a_blocked_worker_keeps_no_calls_though_nobody_is_free(tmp_path):
    settings = FAST | {"min_workers": 2, "max_workers": 2, "timeout_ms": 30_000}
    async with opened(gated(tmp_path, settings)) as engine:
        await warm_up(engine, 2)
        slowest, begun = 0.0, time.monotonic()

        async def client():
            nonlocal slowest
            while not blocked.done():
                asked = time.monotonic()
                assert isinstance(await ask(engine), bytes)
                slowest = max(slowest, time.monotonic() - asked)

        blocked = asyncio.create_task(ask(engine, WAITS))
        async with asyncio.TaskGroup() as group:
            for _ in range(64):
                group.create_task(client())
            await engine.heard.until(lambda lines: "in" in lines)
            for _ in range(1000):
                assert isinstance(await ask(engine), bytes)
            waiting_s = time.monotonic() - begun
            open_gate(tmp_path)
        assert isinstance(await blocked, bytes)
        assert slowest < waiting_s / 2, "calls waited behind the one that blocked"


@on_a_loop
async def test_cancelled_runs_that_were_handed_ahead_are_never_seen_by_the_handler(tmp_path):
    async with opened(gated(tmp_path, FAST)) as engine:
        await warm_up(engine)
        blocked = asyncio.create_task(ask(engine, WAITS))
        await engine.heard.until(lambda lines: "in" in lines)
        ahead = [asyncio.create_task(ask(engine, "print('seen')")) for _ in range(8)]
        kept = asyncio.create_task(ask(engine, "print('kept')"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert engine.statistics().nodes[0].running > 1, "nothing was handed ahead"
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)
        assert engine.statistics().runs == 2
        open_gate(tmp_path)
        assert isinstance(await blocked, bytes)
        assert isinstance(await kept, bytes)
        await engine.heard.until(lambda lines: "kept" in lines)
        assert engine.heard.lines == ["in", "kept"]
        assert engine.statistics().nodes[0].running == 0
        assert engine.statistics().stray_answers == engine.statistics().late_answers == 0


@on_a_loop
async def test_runs_whose_deadline_passes_while_they_are_handed_ahead_are_taken_back(tmp_path):
    async with opened(gated(tmp_path, FAST)) as engine:
        await warm_up(engine)
        blocked = asyncio.create_task(ask(engine, WAITS))
        await engine.heard.until(lambda lines: "in" in lines)
        begun = time.monotonic()
        ahead = await asyncio.gather(*(ask(engine, "print('seen')", deadline_s=0.2) for _ in range(8)))
        assert 0.2 <= time.monotonic() - begun < 1.5
        assert all(isinstance(error, DeadlineExceededError) for error in ahead)
        open_gate(tmp_path)
        assert isinstance(await blocked, bytes)
        assert isinstance(await ask(engine, "print('last')"), bytes)
        await engine.heard.until(lambda lines: "last" in lines)
        assert engine.heard.lines == ["in", "last"]


@on_a_loop
async def test_a_deadline_holds_all_the_way_down_and_what_waits_there_is_withdrawn(tmp_path):
    handlers = {
        "c": "import os\ndef handle(data, context):\n    if data:\n        print('c in', flush=True)\n        open('gate').read()\n    return data and [bytes(row['body']) for row in data]"
    }
    plan = write_flow(tmp_path, "a > b > c", WorkerSettings(**FAST), handlers)
    make_gate(tmp_path, "c")
    async with opened(plan) as engine:
        first = asyncio.create_task(ask(engine))
        await engine.heard.until(lambda lines: "c in" in lines)
        errors = await asyncio.gather(*(ask(engine, deadline_s=0.3) for _ in range(5)))
        assert all('it was at node "c"' in error.message for error in errors)
        assert engine.statistics().runs == 1
        assert [node.queued for node in engine.statistics().nodes] == [0, 0, 0]
        open_gate(tmp_path, "c")
        assert isinstance(await first, bytes)
        assert engine.heard.lines == ["c in"]


@on_a_loop
async def test_a_time_out_while_calls_are_handed_ahead_spares_those_that_others_can_run(tmp_path):
    settings = FAST | {"min_workers": 2, "max_workers": 2, "timeout_ms": 400}
    async with opened(gated(tmp_path, settings)) as engine:
        await warm_up(engine, 2)
        engine._state.nodes[0].credit = 100
        old = pids_of(engine)
        tasks = [asyncio.create_task(ask(engine, "signal.pause()" if number == 3 else "")) for number in range(100)]
        blocked = tasks.pop(3)
        assert all(isinstance(answer, bytes) for answer in await asyncio.gather(*tasks))
        assert isinstance(await blocked, DeadlineExceededError)
        (stuck,) = [worker.pid for worker in engine._state.workers.values() if worker.calls]
        assert stuck in old
        await wait_gone(stuck)
        assert isinstance(await ask(engine), bytes)


@on_a_loop
async def test_a_worker_that_dies_loses_nothing_that_it_was_handed_ahead(tmp_path):
    async with opened(write_flow(tmp_path, "a > b", {"a": WorkerSettings(**FAST)})) as engine:
        await warm_up(engine)
        engine._state.nodes[0].credit = 512
        tasks = [asyncio.create_task(ask(engine, "os._exit(1)" if number == 150 else "")) for number in range(300)]
        poison = tasks.pop(150)
        assert all(isinstance(answer, bytes) for answer in await asyncio.gather(*tasks))
        error = await poison
        assert isinstance(error, RunError)
        assert "the worker died 3 times while it ran this alone" in error.message
        assert engine.settled.most() == 1


@on_a_loop
async def test_after_a_batch_that_no_frame_can_hold_the_right_one_is_blamed(tmp_path, monkeypatch):
    async with opened(write_flow(tmp_path, "a > b", {"a": WorkerSettings(**FAST)})) as engine:
        monkeypatch.setattr("wfctl.engine.wire.frames.MAX_BODY", 100_000)
        for _ in range(3):
            error = await ask(engine, "#" + "x" * 200_000)
            assert isinstance(error, RunError)
            assert "too many for one batch" in error.message
        error = await ask(engine, "os._exit(1)")
        assert "the worker died 3 times while it ran this alone" in error.message
        assert isinstance(await ask(engine), bytes)


@on_a_loop
@pytest.mark.parametrize("isolates", [True, False])
async def test_what_may_not_be_sent_twice_is_not(tmp_path, isolates):
    plan = write_flow(tmp_path, "a > b", {"a": WorkerSettings(**FAST, batch_size=4)}, isolates=isolates)
    async with opened(plan) as engine:
        code = "print('dies', flush=True); os._exit(1)"
        answers = await asyncio.gather(*(ask(engine, code if number == 2 else "") for number in range(4)))
        assert [isinstance(answer, bytes) for answer in answers] == [isolates] * 2 + [False] + [isolates]
        assert engine.heard.lines.count("dies") == (4 if isolates else 1)
        crowd = Crowd(engine, ["raise OSError"] * 20, lambda *_: False)
        retried = engine.statistics().nodes[0].retried
        await crowd.run(4)
        assert crowd.errors.total() == 20
        assert isolates or engine.statistics().nodes[0].retried == retried == 0
