"""The worker's end of its socket: whole frames in, whole frames out, blocking.

Invariant: no event loop and no threads; user code runs between two calls of this and nowhere else.
"""

import os
import socket
from collections import deque
from collections.abc import Sequence

from wfctl.engine.wire.frames import Buffer, Frame, FrameDecoder, FrameError, drop_sent

_MOST_BUFFERS = 512
"""Buffers in one system call; the kernel takes 1024."""


class Channel:
    """Frames over a stream socket."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._decoder = FrameDecoder()
        self._frames: deque[Frame] = deque()
        # A process that the handler forks may come back from the handler, and must not answer beside us.
        os.register_at_fork(after_in_child=stream.close)

    def receive(self) -> Frame | None:
        """Wait for the next frame; ``None`` at the end of the stream."""
        decoder = self._decoder
        while not self._frames:
            size = self._stream.recv_into(decoder.get_buffer())
            if not size:
                if decoder.is_between_frames:
                    return None
                raise FrameError("the stream ended inside a frame")
            self._frames += decoder.advance(size)
        return self._frames.popleft()

    def receive_nowait(self) -> Frame | None:
        """Return a frame that is there already; ``None`` if there is none, or the stream has ended."""
        decoder = self._decoder
        while not self._frames:
            try:
                size = self._stream.recv_into(decoder.get_buffer(), 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            if not size:  # `receive` will see it too
                return None
            self._frames += decoder.advance(size)
        return self._frames.popleft()

    def send(self, buffers: Sequence[Buffer]) -> None:
        """Write one frame."""
        if len(buffers) == 1:
            self._stream.sendall(buffers[0])
            return
        pending = deque(buffers)
        while pending:
            sent = self._stream.sendmsg([pending[at] for at in range(min(len(pending), _MOST_BUFFERS))])
            drop_sent(pending, sent)
