"""More work than can be done, with real workers: bounded queues, honest refusals, and work that nobody wants any more."""

import asyncio
import time

from fakes.faults import JOIN, WAITS, Crowd, ask, make_gate, open_gate, opened, write_flow
from fakes.loops import on_a_loop

from wfctl.errors import DeadlineExceededError, OverloadedError
from wfctl.spec.model import WorkerSettings

PATIENT = {"max_batch_delay_ms": 0, "retry_attempts": 0, "timeout_ms": 60_000}


def gated(tmp_path, edges="a > b", **more):
    plan = write_flow(tmp_path, edges, WorkerSettings(**PATIENT), **more)
    make_gate(tmp_path)
    return plan


@on_a_loop
async def test_queues_are_bounded_and_what_is_beyond_is_refused_before_any_work(tmp_path):
    async with opened(gated(tmp_path, queue_size=5)) as engine:
        running = asyncio.create_task(ask(engine, WAITS))
        await engine.heard.until(lambda lines: "in" in lines)
        answers = [asyncio.create_task(ask(engine, "print('ran')")) for _ in range(40)]
        refused, accepted = await asyncio.wait(answers, timeout=0.3)
        assert (len(refused), len(accepted)) == (35, 5)
        assert all(isinstance(task.result(), OverloadedError) for task in refused)
        error = next(iter(refused)).result()
        assert error.message == '5 calls wait for node "a"'
        assert 1 <= error.retry_after_s <= 60
        assert engine.statistics().nodes[0].queued == 5
        open_gate(tmp_path)
        assert isinstance(await running, bytes)
        assert all(isinstance(answer, bytes) for answer in await asyncio.gather(*accepted))
        assert isinstance(await ask(engine), bytes)
        await engine.heard.until(lambda lines: len(lines) >= 6)
        assert engine.heard.lines.count("ran") == 5


@on_a_loop
async def test_a_slow_node_further_down_refuses_as_well(tmp_path):
    slow = "def handle(data, context):\n    if data:\n        print('in', flush=True)\n        open('gate').read()\n    return data and [bytes(row['body']) for row in data]"
    plan = write_flow(tmp_path, "a > b", WorkerSettings(**PATIENT), {"b": slow}, queue_size=3)
    make_gate(tmp_path, "b")
    async with opened(plan) as engine:
        answered, take = asyncio.Event(), engine.worker_answered

        def worker_answered(*told):
            take(*told)
            answered.set()

        engine.worker_answered = worker_answered
        runs = []
        for number in range(4):
            answered.clear()
            runs.append(asyncio.create_task(ask(engine)))
            await answered.wait()
            assert engine.statistics().nodes[1].queued == max(0, number)
        error = await ask(engine)
        assert isinstance(error, OverloadedError)
        assert error.message == '3 calls wait for node "b"'
        open_gate(tmp_path, "b")
        assert all(isinstance(answer, bytes) for answer in await asyncio.gather(*runs))


@on_a_loop
async def test_a_refusal_says_when_the_queue_will_have_been_worked_off(tmp_path):
    settings = {"a": WorkerSettings(min_workers=2, max_workers=2, batch_size=4, **PATIENT)}
    plan = write_flow(tmp_path, "a > b", settings, queue_size=400)
    async with opened(plan) as engine:
        nap = "time.sleep(0.02)"
        await asyncio.gather(*(ask(engine, nap) for _ in range(80)))
        begun = time.monotonic()
        tasks = [asyncio.create_task(ask(engine, nap)) for _ in range(600)]
        answers = await asyncio.gather(*tasks)
        took_s = time.monotonic() - begun
        refusals = [answer.retry_after_s for answer in answers if isinstance(answer, OverloadedError)]
        assert len(refusals) >= 150
        # 400 calls of 20 ms (a batch of four takes 80 ms), two workers: four seconds.
        assert all(4 <= each <= 6 for each in refusals), refusals
        assert took_s >= 3.5


@on_a_loop
async def test_a_caller_who_leaves_withdraws_what_waits_and_frees_the_queue(tmp_path):
    async with opened(gated(tmp_path, queue_size=5)) as engine:
        running = asyncio.create_task(ask(engine, WAITS))
        await engine.heard.until(lambda lines: "in" in lines)
        for _ in range(20):
            waiting = [asyncio.create_task(ask(engine, "print('ran')")) for _ in range(5)]
            await asyncio.sleep(0)
            assert engine.statistics().nodes[0].queued == 5
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            assert (engine.statistics().runs, engine.statistics().nodes[0].queued) == (1, 0)
        open_gate(tmp_path)
        assert isinstance(await running, bytes)
        assert isinstance(await ask(engine, "print('last')"), bytes)
        await engine.heard.until(lambda lines: "last" in lines)
        assert engine.heard.lines == ["in", "last"]


@on_a_loop
async def test_the_only_caller_of_a_branch_that_leaves_takes_both_branches_back(tmp_path):
    slow = "def handle(data, context):\n    if data:\n        print('{name} in', flush=True)\n        open('gate').read()\n    return data and [bytes(row['body']) for row in data]"
    handlers = {"b": slow.replace("{name}", "b"), "c": slow.replace("{name}", "c"), "d": JOIN}
    plan = write_flow(tmp_path, "a > b > d, a > c > d", WorkerSettings(**PATIENT), handlers)
    for node in "bc":
        make_gate(tmp_path, node)
    async with opened(plan) as engine:
        first, second = (asyncio.create_task(ask(engine)) for _ in range(2))
        await engine.heard.until(lambda lines: sorted(lines) == ["b in", "c in"])
        first.cancel()
        second.cancel()
        await asyncio.wait([first, second])
        assert engine.statistics().runs == 0
        for node in "bc":
            open_gate(tmp_path, node)
        # Of the first the branches ran, and their answers are dropped; of the second at most the entry did.
        assert isinstance(await ask(engine), bytes)
        assert engine.heard.lines.count("b in") == engine.heard.lines.count("c in") == 2
        assert engine.statistics().late_answers in {2, 3}
        assert [node.queued for node in engine.statistics().nodes] == [0] * 4


@on_a_loop
async def test_deadlines_under_overload_end_in_time_and_leave_nothing_behind(tmp_path):
    async with opened(write_flow(tmp_path, "a > b > c", WorkerSettings(**PATIENT))) as engine:
        begun = time.monotonic()
        answers = await asyncio.gather(*(ask(engine, "time.sleep(0.01)", deadline_s=0.5) for _ in range(300)))
        assert time.monotonic() - begun < 2.0
        served = sum(isinstance(answer, bytes) for answer in answers)
        late = sum(isinstance(answer, DeadlineExceededError) for answer in answers)
        assert served + late == 300
        assert 10 <= served <= 60
        assert engine.statistics().runs == 0
        assert sum(node.queued for node in engine.statistics().nodes) == 0
        crowd = Crowd(engine, [""] * 100, lambda given, answer: given == answer)
        await crowd.run(10)
        assert crowd.errors == {}
