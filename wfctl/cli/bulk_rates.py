"""How fast a bulk run is now: rates and batch sizes over the last seconds.

Invariant: pure; moments come with their own time.
"""

from collections import deque

from wfctl.bulk.progress import Progress
from wfctl.engine.statistics import NodeStatistics

_RECENT_S = 5.0


class Rates:
    """The last few seconds of a run."""

    def __init__(self) -> None:
        self._moments: deque[Progress] = deque()

    def note(self, progress: Progress) -> None:
        """Take a moment."""
        moments = self._moments
        moments.append(progress)
        while len(moments) > 2 and progress.elapsed_s - moments[1].elapsed_s >= _RECENT_S:  # noqa: PLR2004
            moments.popleft()

    @property
    def inputs(self) -> float:
        """Inputs a second."""
        first, last = self._ends()
        # Inputs that an earlier run did may be counted while they are passed over.
        return _per_second(first, last, (last.done - last.done_before) - (first.done - first.done_before))

    @property
    def left_s(self) -> float | None:
        """Seconds until the end at this rate."""
        last, rate = self._moments[-1], self.inputs
        return None if last.total is None or rate <= 0 else max(0, last.total - last.done) / rate

    def of_node(self, index: int) -> float:
        """Calls that a node settles in a second."""
        first, last = self._ends()
        before, now = first.nodes[index], last.nodes[index]
        return _per_second(first, last, now.done + now.failed - before.done - before.failed)

    def batch_of_node(self, index: int) -> float | None:
        """Calls in a batch of a node, on average; ``None`` before the first one."""
        first, last = self._ends()
        before, now = first.nodes[index], last.nodes[index]
        if now.batches > before.batches:
            return max(1.0, (_sent(now) - _sent(before)) / (now.batches - before.batches))
        return mean_batch(now)

    def _ends(self) -> tuple[Progress, Progress]:
        return self._moments[0], self._moments[-1]


def _per_second(first: Progress, last: Progress, count: int) -> float:
    elapsed_s = last.elapsed_s - first.elapsed_s
    return count / elapsed_s if elapsed_s > 0 else 0.0


def mean_batch(node: NodeStatistics) -> float | None:
    """Return how many calls the batches of a node hold on average, ``None`` before the first one."""
    return max(1.0, _sent(node) / node.batches) if node.batches else None


def _sent(node: NodeStatistics) -> int:
    """Return how many calls went out; tries that were repeated count once."""
    return node.done + node.failed + node.running
