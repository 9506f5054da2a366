"""The way of inputs into Ray Data: a short queue on this machine, that one task reads once.

Ray does lost tasks again, and a queue that is read again would give it other inputs than before. So the second reader
fails, and with it the stream; what had not come through is kept here, and sent into the next stream.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import ray
from ray.exceptions import RayError

from wfctl.cluster.rows import Row, to_bytes
from wfctl.cluster.session import here

_AHEAD: Final = 8
"""Pieces that wait in an inbox."""
_PATIENCE_S: Final = 1.0


class ReadAgainError(Exception):
    """The inputs of a stream were to be read a second time, for what had been read was lost with a machine."""


class Inbox:
    """An actor with a few pieces of input."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self._has_reader = False

    async def begin(self) -> None:
        """Be the one who reads; raises ``ReadAgainError`` for everybody else."""
        if self._has_reader:
            raise ReadAgainError
        self._has_reader = True

    async def put(self, piece: bytes | None) -> None:
        """Put a piece in, or the end, once there is room."""
        await self._pieces.put(piece)

    async def get(self) -> bytes | None:
        """Take the oldest out, once there is one."""
        return await self._pieces.get()


def open_inbox() -> Any:
    """Start one on the machine of this process, whose loss would be that of everything."""
    return ray.remote(Inbox).options(num_cpus=0, scheduling_strategy=here()).remote()


def read(inbox: Any) -> Iterator[bytes]:
    """Yield what is put in, until the end; raises ``ReadAgainError``."""
    ray.get(inbox.begin.remote())
    while (piece := ray.get(inbox.get.remote())) is not None:
        yield piece


class Feeder(threading.Thread):
    """Reads inputs, and puts them into one inbox after another as long as somebody takes them."""

    def __init__(self, pieces: Iterator[Sequence[Row]]) -> None:
        super().__init__(name="wfctl-feeder", daemon=True)
        self._pieces = pieces
        self._news = threading.Condition()
        self._kept: deque[bytes | None] = deque()
        """What was read and did not come through, the oldest first; the end is ``None``."""
        self._sent = 0
        """How many of them the inbox has been sent."""
        self._inbox: Any = None
        self._has_read_all = self._is_closed = False
        self.failure: BaseException | None = None
        """What reading the inputs raised."""

    def feed(self, inbox: Any) -> None:
        """Send all that did not come through into this inbox from now on."""
        with self._news:
            self._inbox, self._sent = inbox, 0
            self._news.notify()

    def came_through(self, pieces: int) -> None:
        """Forget the oldest."""
        with self._news:
            for _ in range(pieces):
                self._kept.popleft()
            self._sent -= pieces

    def close(self) -> None:
        """Send no more, and wait a moment for the end of whoever reads the inputs: it may be for a pipe."""
        with self._news:
            self._is_closed = True
            self._news.notify()
        self.join(_PATIENCE_S)

    def run(self) -> None:
        """Feed."""
        while not self._is_closed:
            with self._news:
                inbox, is_behind = self._inbox, self._sent < len(self._kept)
                piece = self._kept[self._sent] if is_behind else None
                self._sent += is_behind
            if is_behind:
                self._put(inbox, piece)
            elif self._has_read_all:
                self._wait_for_another(inbox)
            else:
                self._keep(self._next())

    def _next(self) -> bytes | None:
        try:
            rows = next(self._pieces, None)
            return None if rows is None else to_bytes(rows)
        except BaseException as error:  # noqa: BLE001 - who takes the answers is to be told, after the last of them
            self.failure = error
            return None

    def _keep(self, piece: bytes | None) -> None:
        with self._news:
            self._kept.append(piece)
        self._has_read_all = piece is None

    def _put(self, inbox: Any, piece: bytes | None) -> None:
        if inbox is not None:
            with suppress(RayError):
                ray.get(inbox.put.remote(piece))
                return
        self._wait_for_another(inbox)

    def _wait_for_another(self, inbox: Any) -> None:
        with self._news:
            self._news.wait_for(lambda: self._is_closed or self._inbox is not inbox)
