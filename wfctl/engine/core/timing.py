"""The next moment at which time alone changes something.

Invariant: pure; the moment is exact, or earlier than need be, and never later.
"""

from math import inf

from wfctl.engine.core.batching import plan_batch
from wfctl.engine.core.dispatch import worker_for
from wfctl.engine.core.records import NodeState, WorkerSlot
from wfctl.engine.core.staffing import asks_at, grows_at, kills_at, shrinks_at
from wfctl.engine.core.state import CoreState


def next_deadline(state: CoreState, now: float) -> float:
    """Return that moment, infinity if there is none."""
    soonest = state.deadlines[0][0] if state.deadlines else inf
    for node in state.nodes:
        soonest = min(soonest, _next_of(state, node, now))
    return soonest


def _next_of(state: CoreState, node: NodeState, now: float) -> float:
    times = [grows_at(node), shrinks_at(state, node), *node.restarts]
    times += [attempt.deadline for attempt in node.alone]
    if node.queue:
        times.append(node.queue[0].deadline)
        times.append(_batch_due(state, node, now))
    for worker in node.workers.values():
        if worker.calls:
            times.append(_call_deadline(worker))
            if node.free and not node.waiting:
                times.append(asks_at(worker))
    return min(times, default=inf)


def _batch_due(state: CoreState, node: NodeState, now: float) -> float:
    """Return when a batch becomes due that waits beside a worker with credit."""
    worker = worker_for(node)
    if worker is None:
        return inf
    others = len(state.runs) - node.present
    return plan_batch(node.queue, node, now, is_free=not worker.calls, others=others)[1]


def _call_deadline(worker: WorkerSlot) -> float:
    live = min((attempt.deadline for attempt in worker.calls.values() if attempt.is_live), default=inf)
    return min(live, kills_at(worker))
