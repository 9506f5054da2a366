"""How many inputs make one piece of work: as many as keep the slowest node busy for a moment.

Each piece costs Ray Data some milliseconds at every stage, so few large ones are fast; but one that takes long is told
late, is lost as a whole with its machine, and leaves other actors idle. Invariant: pure but for what nodes measure.
"""

import threading
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
_BLIND: Final = 8
"""Pieces on their way while nothing was measured: all others can be of the right size."""


class Handfuls:
    """Cuts a stream of inputs into pieces: in one thread, while another one says what came through."""

    def __init__(self, plan: ExecutionPlan, tallies: Tallies) -> None:
        self._plan = plan
        self._tallies = tallies
        self._least = max(node.settings.batch_size for node in plan.nodes)
        self._has_more_to_go_by = threading.Event()
        self._given = 0

    def of(self, inputs: NumberedInputs) -> Iterator[list[Row]]:
        """Return the pieces; one is given out when it is full."""
        rows: list[Row] = []
        held, most = 0, self._next_size()
        for some in inputs:
            for number, parts in some:
                rows.append(Row(number, parts, {}))
                held += sum(len(part.body) for part in parts)
                if len(rows) >= most or held >= _MOST_BYTES:
                    yield rows
                    rows, held, most = [], 0, self._next_size()
        if rows:
            yield rows

    def note(self) -> None:
        """Learn that something came through, or that nothing will."""
        self._has_more_to_go_by.set()

    def _next_size(self) -> int:
        if self._given >= _BLIND:
            self._has_more_to_go_by.wait()
        self._given += 1
        return self.size()

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
