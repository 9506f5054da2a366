"""Bytes on their way into a socket, without ever waiting for it.

Invariant: what fits is written at once, the rest when the socket has room, in order; large buffers are not copied.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Sequence

from wfctl.engine.wire.frames import Buffer, drop_sent

_MOST_BUFFERS = 512
"""Buffers in one system call; the kernel takes 1024."""


class Outbox:
    """The writing side of one non-blocking stream socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stream: socket.socket) -> None:
        self._loop = loop
        self._stream = stream
        self._pending: deque[Buffer] = deque()
        self._is_closed = False

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Write or queue; a broken stream is silent here, for its reading side says so."""
        if self._pending or self._is_closed:
            if not self._is_closed:
                self._pending.extend(buffers)
            return
        if len(buffers) == 1:  # the usual case, and with room in the socket the queue is not needed
            try:
                sent = self._stream.send(buffers[0])
            except BlockingIOError:
                sent = 0
            except OSError:
                return
            if sent == len(buffers[0]):
                return
            buffers = (memoryview(buffers[0])[sent:],)
        self._pending.extend(buffers)
        self._flush()
        if self._pending:
            self._loop.add_writer(self._stream, self._flush_later)

    def close(self) -> None:
        """Forget what was not written, and all that would be; the socket is closed by its owner."""
        self._is_closed = True
        if self._pending:
            self._pending.clear()
            self._loop.remove_writer(self._stream)

    def _flush_later(self) -> None:
        self._flush()
        if not self._pending:
            self._loop.remove_writer(self._stream)

    def _flush(self) -> None:
        pending = self._pending
        try:
            while pending:
                if len(pending) == 1:
                    sent = self._stream.send(pending[0])
                else:
                    sent = self._stream.sendmsg([pending[at] for at in range(min(len(pending), _MOST_BUFFERS))])
                drop_sent(pending, sent)
        except BlockingIOError:
            return
        except OSError:
            pending.clear()
