"""How long requests took in the last minute, by workflow and by node, without keeping a single time.

Hot records: plain slotted classes. Invariant: memory grows with workflows and nodes that the registry has, and never
with requests; what is told is at most ``ERROR`` off, as a share of itself.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from math import log2

from wfctl.engine.running import AnyRun
from wfctl.web.asked import Asked
from wfctl.web.wire.messages import Response

_PER_OCTAVE = 16
_LEAST_LOG, _MOST_LOG = -17, 12
_LEAST_S = 2.0**_LEAST_LOG
"""8 us: what is shorter counts as that long, and what takes longer than an hour as an hour."""
_LAST = (_MOST_LOG - _LEAST_LOG) * _PER_OCTAVE - 1
ERROR = 2 ** (0.5 / _PER_OCTAVE) - 1
"""Half of a bucket's width: 2.2 %."""

SLOT_S = 10.0
_SLOTS = 6
_FIRST_ERROR = 400
_ALL_COUNT = 1000
"""Runs of a slot whose nodes are all measured; beyond it each is one of eight and counts for them."""
_STRIDE = 8


class Window:
    """Times of the last minute in buckets that grow with the time, in slots of ten seconds."""

    __slots__ = ("_ends", "_slots", "_taken")

    def __init__(self) -> None:
        self._slots: deque[dict[int, int]] = deque([{}], _SLOTS)
        """Bucket -> how many; the newest slot last. Sparse: a node's times lie in a few dozen buckets."""
        self._taken = self._slots[-1]
        self._ends = 0.0

    def add(self, took_s: float, now: float, weight: int = 1) -> None:
        """Count a time that ended now."""
        if now >= self._ends:
            self.turn(now)
        at = int((log2(took_s) - _LEAST_LOG) * _PER_OCTAVE) if took_s > _LEAST_S else 0
        at = min(at, _LAST)
        taken = self._taken
        taken[at] = taken.get(at, 0) + weight

    def turn(self, now: float) -> None:
        """Begin the slot of this moment, and forget what is over a minute ago."""
        if now < self._ends:
            return
        passed = int((now - self._ends) // SLOT_S) + 1 if self._ends else 1
        for _ in range(min(passed, _SLOTS)):
            self._slots.append({})
        self._taken = self._slots[-1]
        self._ends = (now // SLOT_S + 1) * SLOT_S

    def percentiles(self, now: float, shares: Sequence[float]) -> list[float] | None:
        """Return the times, in seconds, that these shares of all were not above; rising. ``None`` for no times."""
        self.turn(now)
        counts: dict[int, int] = {}
        for slot in self._slots:
            for at, count in slot.items():
                counts[at] = counts.get(at, 0) + count
        ranks = [share * sum(counts.values()) for share in shares]
        found: list[float] = []
        passed = 0
        for at in sorted(counts):
            passed += counts[at]
            while len(found) < len(ranks) and passed >= ranks[len(found)]:
                found.append(2.0 ** ((at + 0.5) / _PER_OCTAVE + _LEAST_LOG))
        return found or None


class WorkflowTimes:
    """What is counted of one workflow, all of its versions together."""

    __slots__ = ("answered", "failed", "nodes", "seen", "seen_until", "window")

    def __init__(self) -> None:
        self.answered = 0
        """Requests without an error since the start, those of single nodes included."""
        self.failed = 0
        """Requests with one."""
        self.window = Window()
        """Of those without an error: a refusal takes no time, and would make an overloaded server look fast."""
        self.nodes: dict[str, Window] = {}
        """By node: from the queue to the answer."""
        self.seen = 0
        """Runs of this slot whose nodes could be measured."""
        self.seen_until = 0.0


class Latencies:
    """Takes note of what requests took; a ``Witness``."""

    def __init__(self, there: Callable[[], Mapping[str, Collection[str]]]) -> None:
        self._there = there
        """Says which workflows there are, with the nodes of each."""
        self._workflows: dict[str, WorkflowTimes] = {}

    def answered(self, asked: Asked, response: Response, took_s: float) -> None:
        """Count an answer of a workflow."""
        name = asked.workflow
        if not name:
            return
        times = self._workflows.get(name) or self._begun(name)
        if response.status >= _FIRST_ERROR:
            times.failed += 1
            return
        times.answered += 1
        times.window.add(took_s, asked.begun + took_s)

    def ran(self, asked: Asked, run: AnyRun) -> None:
        """Count what a run took at each node; the times of a failed one say nothing."""
        if run.error is not None:
            return
        times = self._workflows.get(asked.workflow) or self._begun(asked.workflow)
        times.seen += 1
        weight = 1
        if times.seen > _ALL_COUNT:
            if times.seen % _STRIDE:
                return
            weight = _STRIDE
        for attempt in run.attempts:
            if attempt is not None:
                now = attempt.received
                if now >= times.seen_until:
                    times.seen, times.seen_until = 0, now + SLOT_S
                name = attempt.node.name
                window = times.nodes.get(name)
                if window is None:
                    window = times.nodes[name] = Window()
                window.add(now - attempt.enqueued, now, weight)

    def of(self, name: str) -> WorkflowTimes:
        """Return what was counted of a workflow."""
        return self._workflows.get(name) or WorkflowTimes()

    def forget_gone(self) -> None:
        """Drop workflows and nodes that are not there any more."""
        there = self._there()
        self._workflows = {name: times for name, times in self._workflows.items() if name in there}
        for name, times in self._workflows.items():
            if len(times.nodes) > len(there[name]):
                times.nodes = {node: window for node, window in times.nodes.items() if node in there[name]}

    def __len__(self) -> int:
        """Return how many workflows are counted."""
        return len(self._workflows)

    def _begun(self, name: str) -> WorkflowTimes:
        self.forget_gone()  # names come and go, and nobody may ever look
        times = self._workflows[name] = WorkflowTimes()
        return times
