"""Workers that are asked what their handlers measured: when they are, when they answer, and what cannot break them."""

import asyncio
from dataclasses import replace

import pytest
from fakes.clock_loop import run_clocked
from fakes.loops import on_a_loop
from fakes.plans import plan_of as scripted_plan_of
from fakes.scripted_backend import NodeScript, ScriptedBackend
from local_workers import ECHO, Remembering, call, plan_of, write_node
from test_local_link import ONE, READY, Lonely

from wfctl.engine.call import NO_HEADERS, Part
from wfctl.engine.engine import open_engine
from wfctl.engine.inline import InlineBackend
from wfctl.engine.local.backend import LocalBackend
from wfctl.engine.measured import Measured
from wfctl.engine.watcher import WorkerWatcher
from wfctl.engine.wire.measures import encode_measured
from wfctl.errors import InternalError
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.recorder import Reported

COUNTING = """
import time

def echo(data, context):
    if data is None:
        return None
    context.metrics.add_counter("seen", len(data))
    if bytes(data[0]["body"]) == b"slow":
        print("begun", flush=True)
        time.sleep(0.3)
    return [row["body"] for row in data]
"""


def valued(measured: Measured) -> dict[str, float]:
    return {each.name: each.value for each in measured.series}


def with_workers(tmp_path, source, scenario):
    async def main():
        told, backend = Remembering(), LocalBackend()
        try:
            await backend.open(plan_of(write_node(tmp_path, source)), told)
            report = await backend.start_worker("echo", ONE)
            await scenario(backend, told, report)
        finally:
            await backend.close()

    asyncio.run(main())


def test_a_worker_tells_what_its_handler_measured(tmp_path):
    async def scenario(backend, told, report):
        backend.send_calls(ONE, [call(1)])
        await told.answer(1)
        assert backend.ask_metrics(ONE)
        assert not backend.ask_metrics(ONE)  # it has not answered, and it is too soon
        await told.until(lambda: told.measured)
        ((worker, node, pid, measured),) = told.measured
        assert (worker, node, pid) == (ONE, "echo", report.pid)
        assert valued(measured)["seen"] == 1
        assert valued(measured)["PredictionTime"] > 0
        assert not backend.ask_metrics(99)

    with_workers(tmp_path, COUNTING, scenario)


def test_a_busy_worker_tells_after_its_batch(tmp_path):
    async def scenario(backend, told, report):
        backend.send_calls(ONE, [call(1, b"slow")])
        await told.until(lambda: "begun" in told.printed())
        assert backend.ask_metrics(ONE)
        await told.until(lambda: told.measured)
        assert 1 in told.answers
        assert valued(told.measured[0][3])["seen"] == 1

    with_workers(tmp_path, COUNTING, scenario)


def test_a_worker_that_is_told_to_end_tells_what_it_counted_last(tmp_path):
    async def scenario(backend, told, report):
        backend.send_calls(ONE, [call(1)])
        await told.answer(1)
        backend.retire_worker(ONE)
        await told.until(lambda: told.measured)
        measured = told.measured[0][3]
        assert (measured.is_last, valued(measured)["seen"]) == (True, 1)
        assert told.lost == []

    with_workers(tmp_path, COUNTING, scenario)


@pytest.mark.parametrize(
    "mischief",
    [
        "context.metrics = None",
        "context.metrics = object()",
        "del context._metrics",
        "context.metrics.cache = None",
        "context.metrics.cache = Raising()",
        "context.metrics.cache['x'] = {1: 2}",
        "context.metrics.add_counter('\\n\\x00\\ud800' * 30, 1)",
        "context.metrics.get_metric('HandlerTime', GAUGE).series[()] = 3",
    ],
)
def test_no_handler_breaks_its_worker_by_what_it_puts_there(tmp_path, mischief):
    source = f"""
from ts.metrics.metric_type_enum import MetricTypes
GAUGE = MetricTypes.GAUGE

class Raising(dict):
    def values(self):
        raise SystemExit(3)

def echo(data, context):
    if data is None:
        {mischief}
        return None
    return [row["body"] for row in data]
"""

    async def scenario(backend, told, report):
        assert backend.ask_metrics(ONE)
        await told.until(lambda: told.measured)
        backend.send_calls(ONE, [call(1)])
        await told.answer(1)
        assert told.lost == []

    with_workers(tmp_path, source, scenario)


@on_a_loop
async def test_a_worker_is_not_asked_again_before_it_has_answered_nor_within_a_second():
    worker = Lonely()
    assert not worker.link.ask_metrics()  # it is not ready
    worker.says(READY)
    await worker.link.wait_ready()
    loop = asyncio.get_running_loop()
    assert worker.link.ask_metrics()
    worker.link._asked_again_at = loop.time() - 1
    assert not worker.link.ask_metrics()
    worker.says(encode_measured([]))
    await worker.told.until(lambda: worker.told.measured)
    worker.link._asked_again_at = loop.time() + 60
    assert not worker.link.ask_metrics()
    worker.link._asked_again_at = loop.time() - 1
    assert worker.link.ask_metrics()
    worker.ends()
    assert not worker.link.ask_metrics()


@on_a_loop
async def test_figures_that_cannot_be_read_end_the_worker():
    worker = Lonely()
    worker.says(READY)
    await worker.link.wait_ready()
    (frame,) = encode_measured([])
    worker.says([frame.replace(b"[0", b"{0")])
    assert await worker.killed == ONE
    worker.ends()
    assert "figures that cannot be read" in worker.told.lost[0][1]


@on_a_loop
async def test_nobody_is_asked_where_there_are_no_workers_of_their_own(tmp_path):
    backend = InlineBackend()
    await backend.open(plan_of(write_node(tmp_path, ECHO)), Remembering())
    await backend.start_worker("echo", ONE)
    assert not backend.ask_metrics(ONE)
    await backend.close()


# The engine in between


class Noting(WorkerWatcher):
    def __init__(self) -> None:
        self.noted: list[tuple] = []

    def measured(self, node, pid, measured) -> None:
        if measured.left_out:
            raise ZeroDivisionError
        self.noted.append((node, pid, measured))


SEEN = Measured(series=(Reported(name="n", unit="Count", kind=MetricTypes.COUNTER, labels=(), value=1.0),))


def test_the_engine_asks_every_ready_worker_and_passes_on_what_they_tell():
    async def scenario():
        plan, backend, watcher = scripted_plan_of("a > b"), ScriptedBackend({"a": NodeScript(ran_s=1)}), Noting()
        async with open_engine(plan, backend, on_output=print, watcher=watcher) as engine:
            assert engine.ask_metrics() == 2
            assert len(backend.asked) == 2
            engine.submit([Part("body", b"x")], NO_HEADERS, lambda run: None)
            await asyncio.sleep(0.1)
            assert engine.ask_metrics() == 1  # the other one answers later
            assert len(backend.asked) == 4
            backend.listener.worker_measured(ONE, "a", 7, SEEN)
            assert watcher.noted == [("a", 7, SEEN)]

    run_clocked(scenario())


def test_a_fault_of_whoever_watches_is_a_fault_of_ours():
    async def scenario():
        backend = ScriptedBackend()
        async with open_engine(scripted_plan_of("a"), backend, on_output=print, watcher=Noting()):
            backend.listener.worker_measured(ONE, "a", 7, replace(SEEN, left_out=1))

    with pytest.raises(InternalError, match="ZeroDivisionError"):
        run_clocked(scenario())
