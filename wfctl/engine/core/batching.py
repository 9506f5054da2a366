"""When a batch is due, and how many calls are in it.

``max-batch-delay`` is an upper bound and not a toll. By default (adaptive) a free worker takes what waits at once,
unless other runs are on their way to the node and may arrive in time: batches form while workers are busy. As in the
original (fixed), a batch that is not full waits out the delay.
Invariant: pure; queues are looked at, never changed.
"""

from collections import deque
from collections.abc import Sequence
from math import inf

from wfctl.engine.core.records import Attempt, NodeState


def plan_batch(
    queue: deque[Attempt], policy: NodeState, now: float, *, is_free: bool, others: int
) -> tuple[int, float]:
    """Return how many of the oldest calls are due now, and when to look again if none are.

    ``is_free`` says whether the worker at hand has nothing to do: one that is busy gets only what is full or late.
    ``others`` counts the runs in flight that have not arrived at the node.
    """
    waiting = len(queue)
    if waiting >= policy.batch_size:
        return policy.batch_size, inf
    if not waiting:
        return 0, inf
    due_at = queue[0].enqueued + policy.delay_s
    if due_at <= now:
        return waiting, inf
    if not (policy.is_adaptive and is_free):
        return 0, due_at
    look_at = expects_until(policy, due_at) if others else now
    return (0, look_at) if look_at > now else (waiting, inf)


def expects_until(node: NodeState, due_at: float) -> float:
    """Return until when another run may be at ``node`` by ``due_at``, if nothing happens; minus infinity for never.

    Told by the measured times of its ancestors. What was not measured, or takes longer than it usually does, may end at
    any moment, and then has its way before it.
    """
    ends = -inf
    for ancestor, between in node.ancestors:
        latest = due_at - _time_in(between)
        began_at = _oldest_start(ancestor)
        if began_at is not None:
            if began_at + ancestor.batch_time_s <= latest:
                ends = max(ends, latest)
        elif ancestor.waiting:
            ends = max(ends, latest - ancestor.batch_time_s)
    return ends


def _oldest_start(node: NodeState) -> float | None:
    """Return since when the node has been at its oldest call; ``None`` if it has none."""
    return min(
        (next(iter(worker.calls.values())).sent for worker in node.workers.values() if worker.calls), default=None
    )


def _time_in(nodes: Sequence[NodeState]) -> float:
    return sum(node.batch_time_s for node in nodes)
