"""When a batch is due, and how many calls are in it.

Invariant: pure; the queue is looked at, never changed.
"""

from collections import deque
from math import inf

from wfctl.engine.core.records import Attempt, NodeState


def plan_batch(queue: deque[Attempt], policy: NodeState, now: float) -> tuple[int, float]:
    """Return how many of the oldest calls are due now for a free worker, and when to look again if none are.

    Due are a full batch, or whatever waits once the oldest has waited ``policy.delay_s``.
    """
    waiting = len(queue)
    if waiting >= policy.batch_size:
        return policy.batch_size, inf
    if not waiting:
        return 0, inf
    due_at = queue[0].enqueued + policy.delay_s
    return (waiting, inf) if due_at <= now else (0, due_at)
