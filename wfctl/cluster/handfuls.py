"""How many inputs make one piece of work: as many as keep the slowest node busy for a moment.

Each piece costs Ray Data some milliseconds at every stage, so few large ones are fast; but one that takes long is told
late, is lost as a whole with its machine, and leaves other actors idle. Invariant: pure but for what nodes measure.
"""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Final

from wfctl.cluster.rows import Row
from wfctl.cluster.tallies import Tallies
from wfctl.engine.running import NumberedInputs
from wfctl.plan import ExecutionPlan

_WORK_S: Final = 0.5
"""What one piece should take at the slowest node."""
_MOST_ROWS: Final = 4096
_MOST_BYTES: Final = 4 * 2**20
_UNKNOWN: Final = 4
"""Batches in a piece while nothing was measured."""
_BUDGET: Final = 64 * 2**20
"""Bytes of inputs on their way: what Ray Data itself would bound by a share of the cluster's memory."""
_BLIND: Final = 8
"""Pieces on their way while nothing was measured: all others can be of the right size."""


class Handfuls:
    """Cuts a stream of inputs into pieces: in one thread, while another one says what came through."""

    def __init__(self, plan: ExecutionPlan, tallies: Tallies) -> None:
        self._plan = plan
        self._tallies = tallies
        self._least = max(node.settings.batch_size for node in plan.nodes)
        self._news = threading.Condition()
        self._on_their_way: deque[int] = deque()
        """Bytes of each piece that was given out and did not come through, the oldest first; 0 for an empty one."""
        self._held = 0
        self._has_ended = False

    def of(self, inputs: NumberedInputs) -> Iterator[list[Row]]:
        """Return the pieces; one is given out when it is full, and when there is room for it."""
        rows: list[Row] = []
        held, most = 0, self._next_size()
        for some in inputs:
            for number, parts in some:
                rows.append(Row(number, parts, {}))
                held += sum(len(part.body) for part in parts)
                if len(rows) >= most or held >= _MOST_BYTES:
                    self._give(max(held, 1))
                    yield rows
                    rows, held, most = [], 0, self._next_size()
            if rows and not any(self._on_their_way):  # all are idle, and who knows when more will come
                self._give(max(held, 1))
                yield rows
                self._give(0)
                yield []  # Ray Data hands a piece on when it has the next one
                rows, held, most = [], 0, self._next_size()
        if rows:
            self._give(max(held, 1))
            yield rows

    def came_through(self, pieces: int) -> None:
        """Learn that the oldest pieces came through."""
        with self._news:
            for _ in range(pieces):
                self._held -= self._on_their_way.popleft()
            self._news.notify()

    def end(self) -> None:
        """Learn that nothing more will come through."""
        with self._news:
            self._has_ended = True
            self._news.notify()

    def _give(self, size: int) -> None:
        with self._news:
            self._on_their_way.append(size)
            self._held += size

    def _next_size(self) -> int:
        with self._news:
            self._news.wait_for(lambda: self._has_ended or self._has_room())
        return self.size()

    def _has_room(self) -> bool:
        is_blind = not any(self._tallies.batch_time_s(node.name) for node in self._plan.nodes)
        return self._held < _BUDGET and (not is_blind or len(self._on_their_way) < _BLIND)

    def size(self) -> int:
        """Return how many inputs the next piece should have: whole batches, by what nodes take for one."""
        slowest_s = max(
            self._tallies.batch_time_s(node.name) / node.settings.batch_size / node.settings.min_workers
            for node in self._plan.nodes
        )
        if not slowest_s:
            return self._least * _UNKNOWN
        batches = int(_WORK_S / slowest_s) // self._least
        return min(max(batches, 1) * self._least, max(_MOST_ROWS, self._least))
