"""The two pipes that carry what one worker prints.

Invariant: in one turn of the loop at most one read, and a few lines told, so that a chatty handler cannot hold up
answers.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable

from wfctl.engine.local.lines import LineCutter

_CHUNK = 64 * 1024
_MOST_LINES = 200
_MOST_CHUNKS_AT_END = 16
"""As much as a pipe can hold, however it was enlarged."""


class PrintedPipe:
    """Reads one output stream of a worker and tells its lines."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, tell: Callable[[str], None]) -> None:
        os.set_blocking(fd, False)
        self._loop = loop
        self._fd: int | None = fd
        self._tell = tell
        self._cutter = LineCutter()
        self._lines: deque[str] = deque()
        """Read and not told yet; nothing more is read before they are."""
        loop.add_reader(fd, self._read)

    def close(self) -> None:
        """Tell what is left and close."""
        # A process that got away may hold the other end and write for ever: what is there now, and no more.
        for _ in range(_MOST_CHUNKS_AT_END):
            self._tell_lines(len(self._lines))
            if not self._read():
                break
        self._end()
        self._tell_lines(len(self._lines))

    def _read(self) -> bool:
        if self._fd is None or self._lines:
            return False
        try:
            received = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return False
        self._lines.extend(self._cutter.feed(received))
        if not received:
            self._end()
        self._tell_some()
        return bool(received)

    def _tell_some(self) -> None:
        self._tell_lines(min(len(self._lines), _MOST_LINES))
        if self._lines:
            self._loop.call_soon(self._tell_some)

    def _tell_lines(self, count: int) -> None:
        for _ in range(count):
            self._tell(self._lines.popleft())

    def _end(self) -> None:
        if self._fd is None:
            return
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = None
        self._lines.extend(self._cutter.flush())
