"""Reads inputs ahead of their turn, in a thread, one small list at a time.

Invariant: lives on the event loop; the thread only takes the next list. Nothing is read while enough waits, or
while the inputs in memory (waiting or at work) use up the budget.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from wfctl.bulk.item import Item
from wfctl.bulk.records import CHUNK


class ReadAhead:
    """Inputs that were read and are not yet at work."""

    def __init__(
        self,
        chunks: Iterator[list[Item]],
        *,
        budget: int,
        on_arrival: Callable[[], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._chunks = chunks
        self._budget = budget
        self._on_arrival = on_arrival
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "wfctl-reader")
        self._reading: asyncio.Future[list[Item] | None] | None = None
        self._has_ended = False
        self.waiting: deque[Item] = deque()
        self.held_bytes = 0
        """Of inputs in memory; who takes one gives its bytes back when it is settled."""

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing waits and nothing will come."""
        return self._has_ended and not self.waiting and self._reading is None

    def fill(self) -> None:
        """Read on, unless enough waits."""
        if (
            self._reading is None
            and not self._has_ended
            and len(self.waiting) < CHUNK
            and self.held_bytes < self._budget
        ):
            self._reading = self._loop.run_in_executor(self._thread, next, self._chunks, None)
            self._reading.add_done_callback(self._took)

    def _took(self, reading: "asyncio.Future[list[Item] | None]") -> None:
        self._reading = None
        if reading.cancelled() or self._has_ended:
            return
        error = reading.exception()
        if error is not None:
            self._has_ended = True
            self._on_failure(error)
            return
        items = reading.result()
        if items is None:
            self._has_ended = True
        else:
            self.waiting.extend(items)
            self.held_bytes += sum(item.size for item in items)
        self._on_arrival()

    def end(self) -> None:
        """Read no more, and forget what waits."""
        self._has_ended = True
        self.waiting.clear()

    async def close(self, patience_s: float) -> None:
        """Wait for the thread, which whoever owns the chunks has told to end."""
        self._has_ended = True
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=patience_s)
        self._thread.shutdown(wait=False)
