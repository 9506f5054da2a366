"""The two pipes that carry what one worker prints.

Invariant: one read per turn of the loop, so that a chatty handler cannot hold up answers.
"""

import asyncio
import os
from collections.abc import Callable

from wfctl.engine.local.lines import LineCutter

_CHUNK = 64 * 1024
_MOST_CHUNKS_AT_END = 256


class PrintedPipe:
    """Reads one output stream of a worker and tells its lines."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, tell: Callable[[str], None]) -> None:
        os.set_blocking(fd, False)
        self._loop = loop
        self._fd: int | None = fd
        self._tell = tell
        self._cutter = LineCutter()
        loop.add_reader(fd, self._read)

    def close(self) -> None:
        """Tell what is left and close."""
        # A process that got away may hold the other end and write for ever: what is there now, and no more.
        for _ in range(_MOST_CHUNKS_AT_END):
            if not self._read():
                break
        self._end()

    def _read(self) -> bool:
        if self._fd is None:
            return False
        try:
            received = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return False
        for line in self._cutter.feed(received):
            self._tell(line)
        if not received:
            self._end()
        return bool(received)

    def _end(self) -> None:
        if self._fd is None:
            return
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = None
        for line in self._cutter.flush():
            self._tell(line)
