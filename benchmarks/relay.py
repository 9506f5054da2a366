"""The limit: a bare relay through as many processes as a workflow has nodes, which knows nothing but lengths.

It is what an event loop and worker processes cannot do without: one frame out and one frame back for each node, and
what becomes ready in one turn of the loop leaves in one write.
"""

import asyncio
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence

Frames = Sequence[bytes | memoryview]
"""Views are those of the place that was received into, and good until the call returns."""

_SIZE = struct.Struct("<I")
_KEY = struct.Struct("<Q")
_HEAD = _SIZE.size + _KEY.size
_ROOM = 1 << 20
"""Buffers of the sockets, as the engine's are."""

ECHO = """
import socket, struct, sys
stream, place, size = socket.socket(fileno=int(sys.argv[1])), bytearray(1 << 20), 0
while received := stream.recv_into(memoryview(place)[size:]):
    size += received
    whole, at = memoryview(place), 0
    answers = []
    while size - at >= 4:
        end = at + 4 + struct.unpack_from("<I", place, at)[0]
        if end > size:
            break
        answers.append(whole[at:end])
        at = end
    if answers:
        stream.sendall(answers[0] if len(answers) == 1 else b"".join(answers))
        place[:size - at] = whole[at:size]
        size -= at
    del whole, answers
    if size == len(place):
        place += bytes(size)
"""


class Hop:
    """One process that sends back what it gets, and our end of its stream."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pass_on: Callable[[Frames], None]) -> None:
        self._stream, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            for end in (self._stream, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
            argv = [sys.executable, "-S", "-c", ECHO, str(theirs.fileno())]
            self._process = subprocess.Popen(argv, pass_fds=[theirs.fileno()])
        self._loop = loop
        self._pass_on = pass_on
        self._place = bytearray(_ROOM)
        self._size = 0
        self._unsent = bytearray()
        self._stream.setblocking(False)  # noqa: FBT003 - the standard library's signature
        loop.add_reader(self._stream, self._read)

    def write(self, frames: Frames) -> None:
        """Send frames, the rest when there is room."""
        content = frames[0] if len(frames) == 1 else b"".join(frames)
        if self._unsent:
            self._unsent += content
            return
        sent = self._send(content)
        if sent < len(content):
            self._unsent += memoryview(content)[sent:]
            self._loop.add_writer(self._stream, self._send_rest)

    def close(self) -> None:
        """End the process."""
        self._loop.remove_reader(self._stream)
        self._loop.remove_writer(self._stream)
        self._stream.close()
        self._process.wait()

    def _send(self, content: bytes | bytearray | memoryview) -> int:
        try:
            return self._stream.send(content)
        except BlockingIOError:
            return 0

    def _send_rest(self) -> None:
        del self._unsent[: self._send(self._unsent)]
        if not self._unsent:
            self._loop.remove_writer(self._stream)

    def _read(self) -> None:
        with memoryview(self._place) as place:
            self._size += self._stream.recv_into(place[self._size :])
            self._pass_on_whole(place)
        if self._size == len(self._place):
            self._place += bytes(self._size)

    def _pass_on_whole(self, place: memoryview) -> None:
        frames: list[memoryview] = []
        at, size = 0, self._size
        while size - at >= _SIZE.size:
            end = at + _SIZE.size + _SIZE.unpack_from(place, at)[0]
            if end > size:
                break
            frames.append(place[at:end])
            at = end
        if frames:
            self._pass_on(frames)
            for each in frames:
                each.release()
            place[: size - at] = place[at:size]
            self._size -= at


class Stage:
    """Processes side by side: each gets every frame, and what they send back goes on joined."""

    def __init__(self, loop: asyncio.AbstractEventLoop, width: int, pass_on: Callable[[Frames], None]) -> None:
        self._width = width
        self._pass_on = pass_on
        self._arrived: dict[bytes, list[bytes]] = {}
        self._hops = [Hop(loop, pass_on if width == 1 else self._join) for _ in range(width)]

    def write(self, frames: Frames) -> None:
        """Send frames to every process."""
        for hop in self._hops:
            hop.write(frames)

    def close(self) -> None:
        """End the processes."""
        for hop in self._hops:
            hop.close()

    def _join(self, frames: Frames) -> None:
        joined: list[bytes] = []
        for each in frames:
            key = bytes(each[_SIZE.size : _HEAD])
            bodies = self._arrived.setdefault(key, [])
            bodies.append(bytes(each[_HEAD:]))
            if len(bodies) == self._width:
                joined.append(frame(key, b"".join(self._arrived.pop(key))))
        if joined:
            self._pass_on(joined)


def frame(key: bytes, payload: bytes | bytearray) -> bytes:
    """Return a payload as it travels."""
    return b"".join((_SIZE.pack(_KEY.size + len(payload)), key, payload))


class Relay:
    """A chain of stages; ``widths`` says how many processes stand side by side in each."""

    def __init__(self, loop: asyncio.AbstractEventLoop, widths: Sequence[int]) -> None:
        self._loop = loop
        self._waiting: dict[bytes, Callable[[bytes], None]] = {}
        self._last = 0
        self._fresh: list[bytes] = []
        pass_on = self._arrived
        self._stages: list[Stage] = []
        for width in reversed(widths):
            stage = Stage(loop, width, pass_on)
            self._stages.append(stage)
            pass_on = stage.write
        self._first = pass_on

    def submit(self, payload: bytes | bytearray, on_arrival: Callable[[bytes], None]) -> None:
        """Send a payload through all stages; ``on_arrival`` gets it at the end."""
        self._last += 1
        key = _KEY.pack(self._last)
        self._waiting[key] = on_arrival
        if not self._fresh:
            self._loop.call_soon(self._flush)
        self._fresh.append(frame(key, payload))

    async def run(self, payload: bytes) -> bytes:
        """Send a payload through all stages and wait for it."""
        future: asyncio.Future[bytes] = self._loop.create_future()
        self.submit(payload, future.set_result)
        return await future

    def close(self) -> None:
        """End all processes."""
        for stage in self._stages:
            stage.close()

    def _flush(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._first(fresh)

    def _arrived(self, frames: Frames) -> None:
        for each in frames:
            self._waiting.pop(bytes(each[_SIZE.size : _HEAD]))(bytes(each[_HEAD:]))
