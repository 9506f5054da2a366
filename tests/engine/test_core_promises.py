"""What the engine promises about waiting, judged from outside: when runs came, and when workers had what.

Time is virtual: it stands still while the loop turns, so that a call which waits at all is seen to wait.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from itertools import cycle

import pytest
from fakes.clock_loop import run_clocked
from fakes.plans import plan_of
from fakes.scripted_backend import NodeScript, ScriptedBackend
from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.engine.call import NO_HEADERS, Part
from wfctl.engine.core.records import Attempt, Run
from wfctl.engine.engine import open_engine
from wfctl.plan import ExecutionPlan
from wfctl.spec.model import WorkerSettings

NEVER_S = 3600
"""Longer than any of these histories."""
ROUNDING_S = 1e-9
BODY = (Part("body", b"x"),)

ANY_SIZE = st.integers(1, 4)
SERVICE_S = st.lists(st.sampled_from([0.0, 0.0002, 0.003, 0.02, 0.13]), min_size=1, max_size=4)
ARRIVALS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.0, 0.0001, 0.002, 0.011, 0.09, 0.3]), st.integers(1, 5)), min_size=1, max_size=12
)
"""Pauses in seconds, and how many runs come together after each."""


class Watched(ScriptedBackend):
    """Workers whose batches take varying times, and a record of when each had something to do."""

    def __init__(self, service_s: dict[str, list[float]], *, is_measured: bool) -> None:
        super().__init__({name: NodeScript(is_measured=is_measured) for name in service_s})
        self.times = {name: cycle(times) for name, times in service_s.items()}
        self.spans: dict[int, list[list[float]]] = defaultdict(list)
        """Worker -> from when to when it was busy, in order."""
        self.first_sent: dict[int, float] = {}
        """Call -> when a worker was first handed it."""
        self.first_worker: dict[int, int] = {}
        self.seen: dict[int, str] = {}
        """Worker -> its node, those that have ended included."""

    async def start_worker(self, node, worker):
        self.seen[worker] = node
        return await super().start_worker(node, worker)

    def send_calls(self, worker, calls):
        now = self.loop.time()
        spans = self.spans[worker]
        if not spans or len(spans[-1]) == 2:
            spans.append([now])
        for call in calls:
            if call.call_id not in self.first_sent:
                self.first_sent[call.call_id] = now
                self.first_worker[call.call_id] = worker
        super().send_calls(worker, calls)

    def _begin(self, worker):
        if self.desks[worker] and worker not in self.running:
            node = self.workers[worker]
            # What other workers of the node then say of their batches is wrong: nothing may depend on it.
            self.scripts[node].ran_s = next(self.times[node])
        super()._begin(worker)

    def _reply(self, worker, script, calls):
        super()._reply(worker, script, calls)
        if worker not in self.running:
            self.spans[worker][-1].append(self.loop.time())

    def is_busy(self, worker: int, since: float, until: float) -> bool:
        """Say whether a worker had something to do all of the time."""
        for start, end in self.spans[worker]:
            if start <= since + ROUNDING_S:
                since = max(since, end)
        return since >= until - ROUNDING_S


@dataclass
class Flow:
    """A plan, and how long the batches of each node take, one after the other."""

    plan: ExecutionPlan
    service_s: dict[str, list[float]]
    is_measured: bool


@st.composite
def flows(draw, *, is_adaptive, sizes=ANY_SIZE):
    """Draw up to six nodes with fan-out, fan-in, several entries and several leaves."""
    names = "abcdef"[: draw(st.integers(1, 6))]
    edges = [f"{a} > {b}" for index, b in enumerate(names) for a in names[:index] if draw(st.integers(0, 2)) == 0]
    each = {}
    for name in names:
        workers = draw(st.integers(1, 3))
        each[name] = WorkerSettings(
            batch_size=draw(sizes),
            max_batch_delay_ms=draw(st.sampled_from([0, 1, 7, 50, 400])),
            min_workers=workers,
            max_workers=workers,
            timeout_ms=NEVER_S * 1000,
        )
    plan = plan_of(", ".join([*names, *edges]), each, is_adaptive=is_adaptive, queue_size=100_000)
    return Flow(plan, {name: draw(SERVICE_S) for name in names}, draw(st.booleans()))


def played(flow: Flow, arrivals) -> tuple[Watched, list[Run]]:
    """Let runs come as ``arrivals`` says, and wait until all are done."""
    backend, runs = Watched(flow.service_s, is_measured=flow.is_measured), []

    async def main():
        async with open_engine(flow.plan, backend, on_output=print) as engine:
            for pause_s, count in arrivals:
                await asyncio.sleep(pause_s)
                runs.extend(engine.submit(BODY, NO_HEADERS.mapping, lambda run: None) for _ in range(count))

    run_clocked(main())
    assert all(run.is_settled and run.error is None for run in runs)
    return backend, runs


def attempts_of(runs: list[Run]) -> list[Attempt]:
    """Return all attempts in the order in which they came to their nodes."""
    return sorted((attempt for run in runs for attempt in run.attempts), key=lambda each: each.call_id)


@pytest.mark.parametrize("is_adaptive", [True, False], ids=["adaptive", "fixed"])
@settings(max_examples=80, deadline=None)
@given(data=st.data(), arrivals=ARRIVALS)
def test_no_call_waits_longer_than_its_delay_while_a_worker_is_free(is_adaptive, data, arrivals):
    flow = data.draw(flows(is_adaptive=is_adaptive))
    backend, runs = played(flow, arrivals)
    workers = defaultdict(list)
    for worker, node in backend.seen.items():
        workers[node].append(worker)
    for attempt in attempts_of(runs):
        due_at = attempt.enqueued + attempt.node.delay_s
        handed_at = backend.first_sent[attempt.call_id]
        if handed_at > due_at + ROUNDING_S:
            free = [worker for worker in workers[attempt.node.name] if not backend.is_busy(worker, due_at, handed_at)]
            assert not free, f"{attempt} waited from {due_at} to {handed_at} beside {free}"


@settings(max_examples=150, deadline=None)
@given(data=st.data(), pauses_s=st.lists(st.sampled_from([0.0, 0.0001, 0.02, 1.0]), min_size=1, max_size=8))
def test_one_client_that_waits_for_its_answers_is_never_kept_waiting(data, pauses_s):
    flow = data.draw(flows(is_adaptive=True, sizes=st.integers(2, 8)))
    backend = Watched(flow.service_s, is_measured=flow.is_measured)

    async def main():
        async with open_engine(flow.plan, backend, on_output=print) as engine:
            for pause_s in pauses_s:
                result = await engine.run(BODY)
                waited = {timing.node: timing.queued_s for timing in result.timings}
                assert waited == dict.fromkeys(waited, 0.0)
                assert len(waited) == len(flow.plan.nodes)
                await asyncio.sleep(pause_s)

    run_clocked(main())


@pytest.mark.parametrize("sizes", [st.just(1), st.integers(2, 4)], ids=["singles", "batches"])
@settings(max_examples=80, deadline=None)
@given(data=st.data(), arrivals=ARRIVALS)
def test_calls_of_a_node_are_handed_out_in_the_order_in_which_they_came(sizes, data, arrivals):
    flow = data.draw(flows(is_adaptive=data.draw(st.booleans()), sizes=sizes))
    backend, runs = played(flow, arrivals)
    handed = defaultdict(list)
    for attempt in attempts_of(runs):
        handed[attempt.node.name].append(backend.first_sent[attempt.call_id])
    assert all(times == sorted(times) for times in handed.values())
    assert sum(map(len, handed.values())) == len(backend.first_sent) == len(runs) * len(flow.plan.nodes)
    # What goes to several workers in one moment goes to each of them in order. Only first times count: what one kept
    # waiting and another was handed in its place is out of order by then.
    for worker in backend.seen:
        call_ids = [call.call_id for each in backend.sent if each.worker == worker for call in each.calls]
        first = list(dict.fromkeys(call_id for call_id in call_ids if backend.first_worker[call_id] == worker))
        assert first == sorted(first)
