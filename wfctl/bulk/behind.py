"""Writes answers behind the run, in a thread, many at a time.

Invariant: lives on the event loop; records are written in the order in which they are put, by one write at a time,
and none waits longer than the sink allows.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from wfctl.bulk.sink import Record, Sink

_WRITE_AT = 256 * 1024
"""Bytes that are written at once, without waiting for more."""


class WriteBehind:
    """Records that are on their way to the output."""

    def __init__(
        self, sink: Sink, *, on_written: Callable[[], None], on_failure: Callable[[BaseException], None]
    ) -> None:
        self._sink = sink
        self._on_written = on_written
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "wfctl-writer")
        self._pending: list[Record] = []
        self._pending_bytes = 0
        self._writing: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._has_failed = False
        self.held_bytes = 0
        """Of records in memory; who makes one adds its bytes, and they are taken off when it is written."""

    @property
    def is_idle(self) -> bool:
        """Whether everything is written."""
        return self._writing is None and not self._pending

    def put(self, record: Record) -> None:
        """Take the next record."""
        self._pending.append(record)
        self._pending_bytes += len(record)

    def settle(self) -> None:
        """Write at once if there is much to write, else a little later."""
        if self._writing is not None or not self._pending:
            return
        if self._pending_bytes >= _WRITE_AT:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._sink.flush_s, self.flush)

    def flush(self) -> None:
        """Write what there is, unless a write is on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None or not self._pending or self._has_failed:
            return
        records, self._pending = self._pending, []
        size, self._pending_bytes = self._pending_bytes, 0
        self._writing = self._loop.run_in_executor(self._thread, self._sink.write, records)
        self._writing.add_done_callback(partial(self._written, size))

    def _written(self, size: int, writing: "asyncio.Future[None]") -> None:
        self._writing = None
        self.held_bytes -= size
        error = None if writing.cancelled() else writing.exception()
        if error is not None:
            self._has_failed = True
            self._on_failure(error)
        else:
            self._on_written()

    async def close(self, patience_s: float) -> None:
        """Write what is left; a write that takes no end is given up."""
        deadline = self._loop.time() + patience_s
        self.flush()
        while self._writing is not None and self._loop.time() < deadline:
            await asyncio.wait([self._writing], timeout=deadline - self._loop.time())
            self.flush()
        self._thread.shutdown(wait=False)
