"""How far a bulk run is: a value, made a few times a second for whoever shows it.

Invariant: numbers only; how they look is for others to say.
"""

from dataclasses import dataclass

from wfctl.engine.statistics import NodeStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One moment of a run."""

    elapsed_s: float
    done: int
    """Inputs that have their answer or failure in the output, earlier runs included."""
    failed: int
    done_before: int
    """Of those done, how many an earlier run did."""
    total: int | None
    """All inputs; ``None`` where nobody knows."""
    is_estimate: bool
    """Whether the total was told from bytes."""
    nodes: tuple[NodeStatistics, ...]
    is_last: bool = False


class Extent:
    """What is known of the whole, and the total that follows."""

    def __init__(self, *, count: int | None, total_bytes: int, limit: int | None) -> None:
        self._count = count
        self._bytes = total_bytes
        self._limit = limit

    def total(self, done: int, position: int) -> tuple[int | None, bool]:
        """Return how many inputs there are, and whether that is told from bytes: ``done`` took ``position`` of them."""
        count, is_estimate = self._count, False
        if count is None and position and self._bytes:
            count, is_estimate = max(done, round(done * self._bytes / position)), position < self._bytes
        if self._limit is None:
            return count, is_estimate
        # Where even the guess is well beyond the limit, the limit is what will be done.
        if count is None:
            return None, True
        return (self._limit, False) if count > self._limit else (count, is_estimate)


def progress_of(
    position: tuple[int, int, int],
    nodes: tuple[NodeStatistics, ...],
    extent: Extent,
    *,
    elapsed_s: float,
    before: tuple[int, int],
    is_last: bool,
) -> Progress:
    """Return how far a run is; ``before`` says how many inputs an earlier run did, and how many of them failed."""
    done, failed, read = position
    total, is_estimate = extent.total(before[0] + done, read)
    return Progress(
        elapsed_s=elapsed_s,
        done=before[0] + done,
        failed=before[1] + failed,
        done_before=before[0],
        total=total,
        is_estimate=is_estimate,
        nodes=nodes,
        is_last=is_last,
    )
