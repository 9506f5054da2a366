"""The driver of bulk runs: order, bounds, ends; on a backend without processes."""

import asyncio
import random
from itertools import islice

import pytest
from fakes.plans import plan_of
from fakes.scripted_backend import Lost, NodeScript, ScriptedBackend, failing
from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.bulk.drive import Drive, Terms
from wfctl.bulk.item import Item
from wfctl.bulk.pace import Pace, usual_window
from wfctl.engine.call import CallAnswer, CallError
from wfctl.engine.core.outcome import NodeTiming
from wfctl.engine.engine import open_engine
from wfctl.errors import InternalError, LoadError, OverloadedError, UnloadableError
from wfctl.spec.model import WorkerSettings

QUICK = WorkerSettings(max_batch_delay_ms=0, retry_attempts=0)


class CountingSink:
    """Keeps numbers, and how many inputs were alive at most."""

    flush_s = 0.0

    def __init__(self, size: int = 1) -> None:
        self.numbers: list[int] = []
        self.failed_numbers: list[int] = []
        self.size = size

    def answered(self, item, result):
        return _Record(item.number, self.size)

    def failed(self, item, error):
        self.failed_numbers.append(item.number)
        return _Record(item.number, self.size)

    def write(self, records):
        self.numbers += [record.number for record in records]

    def close(self):
        pass


class _Record:
    def __init__(self, number, size):
        self.number, self.size = number, size

    def __len__(self):
        return self.size


def items(count, *, chunk=100, size=1, made=None, faults=()):
    """Make inputs, and note in ``made`` how many there were."""
    numbers = iter(range(1, count + 1))
    while batch := list(islice(numbers, chunk)):
        if made is not None:
            made.append(batch[-1])
        yield [
            Item(n, None, str(n), n, None if n in faults else b"x" * size, "text/plain", "bad" if n in faults else None)
            for n in batch
        ]


def drive(chunks, sink, *, plan=None, scripts=None, window=64, budget=2**20, max_errors=None, during=None):
    plan = plan or plan_of("a > b", default=QUICK)

    async def main():
        async with open_engine(plan, ScriptedBackend(scripts), on_output=print) as engine:
            terms = Terms(window=window, budget=budget, max_errors=max_errors)
            pace = Pace(plan, window)
            pace.limit = window
            driven = Drive(engine, chunks, sink, terms=terms, pace=pace)
            if during is not None:
                asyncio.get_running_loop().call_soon(during, driven, engine)
            return await driven.run(lambda: None)

    return asyncio.run(main())


def sometimes(share, seed=1):
    chance = random.Random(seed)

    def reply(calls):
        return [
            CallAnswer(call.call_id, status=500, error=CallError("no"))
            if chance.random() < share
            else CallAnswer(call.call_id, body=b"y")
            for call in calls
        ]

    return reply


def test_every_input_has_one_record_in_order_whatever_fails():
    sink = CountingSink()
    scripts = {"b": NodeScript(sometimes(0.1), ran_s=0.001)}
    outcome = drive(items(1000, faults={1, 500, 1000}), sink, scripts=scripts)
    assert sink.numbers == list(range(1, 1001))
    assert outcome.done == 1000
    assert outcome.failed == len(sink.failed_numbers) > 50
    assert {1, 500, 1000} <= set(sink.failed_numbers)
    assert not outcome.is_stopped


def test_a_hundred_thousand_inputs_are_never_in_memory_together():
    made, sink, most = [], CountingSink(), []

    class Watching(CountingSink):
        def write(self, records):
            super().write(records)
            most.append(made[-1] - len(self.numbers))

    sink = Watching()
    plan = plan_of("a", default=WorkerSettings(max_batch_delay_ms=0, batch_size=64, max_workers=2))
    outcome = drive(items(100_000, made=made), sink, plan=plan, window=512)
    assert outcome.done == 100_000
    assert sink.numbers == list(range(1, 100_001))
    # The window eight times over, what was read ahead, and what a write in flight has not yet counted.
    assert max(most) < 8 * 512 + 2_000


def test_large_inputs_are_bounded_by_their_bytes():
    made, most = [], []

    class Watching(CountingSink):
        def write(self, records):
            super().write(records)
            most.append(made[-1] - len(self.numbers))

    sink = Watching()
    drive(items(200, chunk=1, size=100_000, made=made), sink, budget=1_000_000, scripts={"b": NodeScript(ran_s=0.001)})
    assert len(sink.numbers) == 200
    assert max(most) <= 15


def test_an_input_larger_than_the_budget_runs_all_the_same():
    sink = CountingSink()
    drive(items(5, chunk=1, size=100_000), sink, budget=1)
    assert sink.numbers == [1, 2, 3, 4, 5]


def test_large_answers_that_wait_for_their_turn_hold_the_run_back():
    sink = CountingSink(size=400_000)
    at_most = []

    def watch(driven, engine):
        at_most.append(driven._behind.held_bytes)
        if not driven._ended.done():
            asyncio.get_running_loop().call_soon(watch, driven, engine)

    drive(items(300), sink, budget=1_000_000, window=4, during=watch)
    assert len(sink.numbers) == 300
    assert max(at_most) <= 1_000_000 + 5 * 400_000


def test_a_full_queue_is_nobodys_failure():
    plan = plan_of("a > b", default=QUICK, queue_size=3)
    sink = CountingSink()
    outcome = drive(items(500), sink, plan=plan, window=100)
    assert (outcome.done, outcome.failed) == (500, 0)


@given(st.integers(1, 5), st.integers(1, 60), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_nth_failure_is_the_last_line_and_all_before_it_are_there(last_error, window, seed):
    chance = random.Random(seed)
    fails = {n for n in range(1, 301) if chance.random() < 0.03}
    expected = sorted(fails)[last_error - 1] if len(fails) >= last_error else 300
    sink = CountingSink()

    def reply(calls):
        return [
            CallAnswer(call.call_id, status=500, error=CallError("no"))
            if int(call.parts[0].body) in fails
            else CallAnswer(call.call_id, body=b"y")
            for call in calls
        ]

    def numbered():
        for chunk in items(300):
            for item in chunk:
                item.parts[0].body = b"%d" % item.number
            yield chunk

    plan = plan_of("a", default=WorkerSettings(max_batch_delay_ms=0, retry_attempts=0, max_workers=3))
    outcome = drive(numbered(), sink, plan=plan, scripts={"a": NodeScript(reply)}, window=window, max_errors=last_error)
    assert sink.numbers == list(range(1, expected + 1))
    assert outcome.is_stopped == (len(fails) >= last_error)


def test_a_reader_that_fails_ends_the_run_behind_what_is_whole():
    def broken():
        yield from items(3, chunk=3)
        raise OSError("the disk is gone")

    sink = CountingSink()
    with pytest.raises(OSError, match="the disk is gone"):
        drive(broken(), sink)
    assert sink.numbers == list(range(1, len(sink.numbers) + 1))


def test_a_writer_that_fails_ends_the_run():
    class Full(CountingSink):
        def write(self, records):
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        drive(items(1000), Full())


def test_an_engine_that_takes_no_more_ends_the_run_and_fails_no_input():
    sink = CountingSink()

    def shut(driven, engine):
        engine._state.is_closing = True

    with pytest.raises(OverloadedError, match="shutting down"):
        drive(items(100_000), sink, during=shut)
    assert not sink.failed_numbers


def test_a_broken_engine_ends_the_run_and_fails_no_input():
    def bug(calls):
        return [object()]

    sink = CountingSink()
    with pytest.raises(InternalError):
        drive(items(100), sink, scripts={"b": NodeScript(bug)})
    assert not sink.failed_numbers


def test_a_node_that_loads_no_more_ends_the_run_and_fails_no_input():
    sink = CountingSink()
    gone = LoadError("no weights", node="b")
    scripts = {"b": NodeScript(lambda calls: Lost(), loads=[None] + [gone] * 100)}
    plan = plan_of("a > b", default=WorkerSettings(max_batch_delay_ms=0, retry_attempts=0, timeout_ms=300))
    with pytest.raises(UnloadableError, match="none loads at present: no weights"):
        drive(items(100), sink, plan=plan, scripts=scripts)
    assert not sink.failed_numbers


def test_one_input_that_hangs_fails_alone_though_others_wait_behind_it_in_vain():
    sink, replies = CountingSink(), iter([None])
    hanging = NodeScript(lambda calls: next(replies, [CallAnswer(call.call_id, body=b"y") for call in calls]))
    plan = plan_of("a", default=WorkerSettings(max_batch_delay_ms=0, retry_attempts=0, timeout_ms=200))
    outcome = drive(items(100), sink, plan=plan, scripts={"a": hanging})
    assert sink.numbers == list(range(1, 101))
    assert sink.failed_numbers == [1]
    assert (outcome.done, outcome.failed) == (100, 1)


def test_an_input_that_waits_in_vain_again_and_again_is_failed_in_the_end():
    sink = CountingSink()
    plan = plan_of("a", default=WorkerSettings(max_batch_delay_ms=0, retry_attempts=0, timeout_ms=50))
    outcome = drive(items(3), sink, plan=plan, scripts={"a": NodeScript(lambda calls: None)}, window=3)
    assert sink.numbers == [1, 2, 3]
    assert outcome.failed == 3


def test_a_cancelled_run_leaves_a_whole_beginning():
    plan = plan_of("a", default=QUICK)

    class Telling(CountingSink):
        def write(self, records):
            super().write(records)
            if len(self.numbers) >= 20:
                self.loop.call_soon_threadsafe(self.reached.set)

    sink = Telling()

    async def main():
        sink.loop, sink.reached = asyncio.get_running_loop(), asyncio.Event()
        async with open_engine(plan, ScriptedBackend({"a": NodeScript(ran_s=0.001)}), on_output=print) as engine:
            driven = Drive(engine, items(100_000), sink, terms=Terms(window=8, budget=2**20), pace=Pace(plan, 8))
            work = asyncio.ensure_future(driven.run(lambda: None))
            await sink.reached.wait()
            work.cancel()
            await asyncio.wait([work])
            assert work.cancelled()
            assert engine.statistics().runs == 0
            return driven.position[0]

    done = asyncio.run(main())
    assert sink.numbers == list(range(1, done + 1))


def test_failing_scripts_fail_every_input_and_the_run_goes_on():
    sink = CountingSink()
    outcome = drive(items(50), sink, scripts={"a": NodeScript(failing())})
    assert (outcome.done, outcome.failed, outcome.is_stopped) == (50, 50, False)


# The pace


def timing(node, ran_s):
    return NodeTiming(node=node, attempts=1, queued_s=0, sent_s=0, ran_s=ran_s, returned_s=0, total_s=ran_s)


def test_the_usual_window_fills_every_worker_and_no_queue():
    large = WorkerSettings(batch_size=16, max_workers=4)
    assert usual_window(plan_of("a > b", default=large)) == 4 * 2 * 64
    assert usual_window(plan_of("a > b", default=large, queue_size=100)) == 100
    assert usual_window(plan_of("a > b", default=QUICK)) == 256


def test_a_run_begins_with_the_smallest_batch():
    plan = plan_of("a > b", {"a": WorkerSettings(batch_size=32), "b": WorkerSettings(max_workers=2)})
    assert Pace(plan, 256).limit == 2


def test_as_many_are_at_work_as_the_slowest_node_works_off_in_time():
    plan = plan_of("a > b", {"a": WorkerSettings(batch_size=8), "b": WorkerSettings(timeout_ms=10_000)})
    pace = Pace(plan, 256)
    pace.note([timing("a", 0.001), timing("b", 1.0)], [("a", 8.0), ("b", 1.0)])
    assert pace.limit == 5
    pace.note([timing("a", 0.001), timing("b", 6.0)], [("a", 8.0), ("b", 1.0)])
    assert pace.limit == 1
    for _ in range(50):
        pace.note([timing("a", 0.001), timing("b", 0.001)], [("a", 8.0), ("b", 1.0)])
    assert pace.limit == 256


def test_failures_that_wait_nowhere_let_more_come():
    plan = plan_of("a > b", {"b": WorkerSettings(batch_size=8)}, default=QUICK)
    pace = Pace(plan, 10)
    for expected in (2, 4, 8, 10):
        pace.note_failures([("a", 0), ("b", 7)])
        assert pace.limit == expected
    pace = Pace(plan, 10)
    pace.note_failures([("a", 1), ("b", 0)])
    assert pace.limit == 1


def test_a_batch_that_was_not_full_is_no_promise():
    plan = plan_of("a", {"a": WorkerSettings(batch_size=8, timeout_ms=10_000)})
    pace = Pace(plan, 256)
    pace.note([timing("a", 1.0)], [("a", 1.0)])
    assert pace.limit == 8
    pace.note([timing("a", 1.0)], [("a", 8.0)])
    assert pace.limit == 40
