"""How many inputs may be at work at a time, so that workers are never idle and nobody's time runs out in a queue.

An attempt has ``timeout-ms`` from the moment that it queues. A node that takes a second cannot be given hundreds at
once: most of them would fail waiting. So a run begins with the smallest batch and then follows what the nodes
measure: as many as each node works off in half of its time-out. Invariant: pure; times and counts are passed in.
"""

from collections.abc import Iterable

from wfctl.engine.core.outcome import NodeTiming
from wfctl.plan import ExecutionPlan, NodePlan

LEAST_WINDOW = 256
_DEPTH = 4
"""Batches for each worker of each node."""
_SHARE = 0.5
"""Of the time-out."""
_SMOOTHING = 0.3


def usual_window(plan: ExecutionPlan) -> int:
    """Return how many inputs keep every worker's batches full; no queue of a node can overflow with them."""
    wanted = _DEPTH * sum(map(_at_once, plan.nodes))
    return max(1, min(max(LEAST_WINDOW, wanted), *map(plan.queue_size_of, plan.nodes)))


def _at_once(node: NodePlan) -> int:
    return node.settings.batch_size * node.settings.max_workers


class Pace:
    """The limit of inputs at work."""

    def __init__(self, plan: ExecutionPlan, window: int) -> None:
        self._window = window
        self._nodes = {node.name: _NodePace(node) for node in plan.nodes}
        self.limit = min(window, *(node.at_once for node in self._nodes.values()))

    def note(self, timings: Iterable[NodeTiming], mean_batches: Iterable[tuple[str, float]]) -> None:
        """Take the times of one input, and for each node how many calls its batches hold on average."""
        for name, mean in mean_batches:
            self._nodes[name].mean_batch = mean
        for timing in timings:
            self._nodes[timing.node].note(timing.ran_s)
        self.limit = max(1, min(self._window, *(node.capacity() for node in self._nodes.values())))

    def note_failures(self, queued: Iterable[tuple[str, int]]) -> None:
        """Learn that inputs only fail, which gives no times: twice as many may come if they wait nowhere."""
        if all(waiting < self._nodes[name].at_once for name, waiting in queued):
            self.limit = min(self._window, 2 * self.limit)


class _NodePace:
    """What one node can take."""

    def __init__(self, plan: NodePlan) -> None:
        self._batch = plan.settings.batch_size
        self._patience_s = plan.settings.timeout_ms / 1000 * _SHARE
        self._ran_s = 0.0
        self.at_once = _at_once(plan)
        self.mean_batch = 1.0

    def note(self, ran_s: float) -> None:
        """Take one time in the handler: longer ones count at once, shorter ones by and by."""
        self._ran_s = max(ran_s, self._ran_s + _SMOOTHING * (ran_s - self._ran_s))

    def capacity(self) -> int:
        """Return how many calls are worked off in time, if a full batch takes as much longer as it is larger."""
        if not self._ran_s:
            return self.at_once
        full_s = self._ran_s * max(1.0, self._batch / max(1.0, self.mean_batch))
        return max(1, int(self.at_once * max(1.0, min(1e6, self._patience_s / full_s))))
