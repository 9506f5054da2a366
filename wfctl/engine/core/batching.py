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
    if policy.is_adaptive and is_free and (not others or next_arrival(policy, now) > due_at):
        return waiting, inf
    return 0, due_at


def next_arrival(node: NodeState, now: float) -> float:
    """Return when the next run may arrive at ``node``, by the measured times of its ancestors; infinity for never.

    What has not been measured, or takes longer than it usually does, may be there at any moment.
    """
    soonest = inf
    for ancestor, between in node.ancestors:
        began_at = _oldest_start(ancestor, now)
        if began_at is not None:
            left_s = max(0.0, began_at + ancestor.batch_time_s - now)
            soonest = min(soonest, now + left_s + _time_in(between))
    return soonest


def _oldest_start(node: NodeState, now: float) -> float | None:
    """Return since when the node has been at its oldest call; ``None`` if it has none."""
    times = [next(iter(worker.calls.values())).sent for worker in node.workers.values() if worker.calls]
    if times:
        return min(times)
    return now if node.waiting else None


def _time_in(nodes: Sequence[NodeState]) -> float:
    return sum(node.batch_time_s for node in nodes)
