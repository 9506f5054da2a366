"""Frames: how bytes of a stream become messages between the engine and a worker.

A frame is a fixed head, ``meta_size`` bytes that describe, and ``body_size`` bytes of payloads. Nothing here reads
or writes: the decoder says where the next bytes should go and how many came, so that both the event loop and the
blocking worker receive straight into the place where the bytes stay.
Invariant: memory is bounded by the limits, a frame costs time in proportion to its size however it is cut up, and
bytes that are no frame raise ``FrameError`` at once.
"""

import struct
from collections import deque
from collections.abc import Mapping, Sequence
from enum import IntEnum

Buffer = bytes | bytearray | memoryview

_HEAD = struct.Struct("<2sBxIIQ")
_MAGIC = b"wf"
MAX_META = 64 * 2**20
MAX_BODY = 2 * 2**30
_SCRATCH = 256 * 1024
_STEP = bytes(2 * 2**20)
_JOINED = 64 * 1024
"""Frames up to here are joined into one buffer: copying is cheaper than a longer list for the system call."""


class FrameError(ValueError):
    """The stream does not hold what it should; nothing after it can be trusted."""


class FrameKind(IntEnum):
    """What a frame says."""

    START = 1
    READY = 2
    FAILED = 3
    CALLS = 4
    ANSWERS = 5
    WITHDRAW = 6
    SKIP = 7
    MEASURE = 8
    MEASURED = 9


_KINDS: Mapping[int, FrameKind] = {kind.value: kind for kind in FrameKind}


class Frame:
    """One whole frame; a hot record. ``content`` is owned by the frame: meta first, then the bodies."""

    __slots__ = ("content", "count", "kind", "meta_size")

    def __init__(self, kind: FrameKind, count: int, meta_size: int, content: bytearray) -> None:
        self.kind = kind
        self.count = count
        self.meta_size = meta_size
        self.content = content

    @property
    def body_size(self) -> int:
        """Bytes of payload."""
        return len(self.content) - self.meta_size


def encode_frame(kind: FrameKind, count: int, meta: bytes, bodies: Sequence[Buffer] = ()) -> list[Buffer]:
    """Return a frame as buffers to write one after another; large bodies are in the list as they are."""
    body_size = sum(map(len, bodies))
    if len(meta) > MAX_META or body_size > MAX_BODY:
        raise FrameError(f"{len(meta) + body_size} bytes are too many for one batch")
    head = _HEAD.pack(_MAGIC, kind, count, len(meta), body_size)
    if len(meta) + body_size <= _JOINED:
        return [b"".join((head, meta, *bodies))]
    return [head + meta, *(body for body in bodies if body)]


class FrameDecoder:
    """Cuts a stream into frames: ``advance`` what was received into ``get_buffer``."""

    def __init__(self, *, max_meta: int = MAX_META, max_body: int = MAX_BODY) -> None:
        self._max_meta = max_meta
        self._max_body = max_body
        self._scratch = bytearray(_SCRATCH)
        self._place = memoryview(self._scratch)
        self._begin = 0
        self._end = 0
        # A frame that does not fit into the scratch space is received into the bytearray that the frame will own. That
        # grows as bytes arrive: fresh memory costs far more than reading into it, and would hold up the loop at once.
        self._large: Frame | None = None
        self._filled = 0
        self._wanted = 0

    def get_buffer(self) -> memoryview:
        """Return the place for the next bytes, never empty; let go of it before the next call."""
        if self._large is not None:
            content = self._large.content
            if self._filled == len(content):
                content += _STEP[: self._wanted - self._filled]
            return memoryview(content)[self._filled :]
        if self._begin == self._end:
            self._begin = self._end = 0
            return self._place
        return self._place[self._end :]

    def advance(self, size: int) -> list[Frame]:
        """Take note of ``size`` new bytes and return the frames that are now whole."""
        if self._large is not None:
            self._filled += size
            if self._filled < self._wanted:
                return []
            frame, self._large = self._large, None
            return [frame]
        self._end += size
        return self._cut()

    def feed(self, received: Buffer) -> list[Frame]:
        """Take bytes that were received elsewhere; returns the frames that are now whole."""
        frames: list[Frame] = []
        rest = memoryview(received)
        while rest:
            place = self.get_buffer()
            size = min(len(place), len(rest))
            place[:size] = rest[:size]
            del place
            frames += self.advance(size)
            rest = rest[size:]
        return frames

    @property
    def is_between_frames(self) -> bool:
        """Whether the stream may end here."""
        return self._large is None and self._begin == self._end

    def _cut(self) -> list[Frame]:
        frames: list[Frame] = []
        scratch, begin, end = self._scratch, self._begin, self._end
        while end - begin >= _HEAD.size:
            magic, kind, count, meta_size, body_size = _HEAD.unpack_from(scratch, begin)
            if magic != _MAGIC or kind not in _KINDS or meta_size > self._max_meta or body_size > self._max_body:
                raise _fault(magic, kind, meta_size + body_size)
            start = begin + _HEAD.size
            stop = start + meta_size + body_size
            if stop > end:
                if stop - begin > _SCRATCH:
                    self._enlarge(_KINDS[kind], count, meta_size, body_size, start)
                    return frames
                break
            frames.append(Frame(_KINDS[kind], count, meta_size, scratch[start:stop]))
            begin = stop
        self._keep(begin)
        return frames

    def _enlarge(self, kind: FrameKind, count: int, meta_size: int, body_size: int, start: int) -> None:
        content = self._scratch[start : self._end]
        self._filled, self._wanted = len(content), meta_size + body_size
        self._large = Frame(kind, count, meta_size, content)
        self._begin = self._end = 0

    def _keep(self, begin: int) -> None:
        """Move an unfinished frame to the front before the space behind it runs out."""
        size = self._end - begin
        if begin and size and (begin > _SCRATCH // 2 or self._end == _SCRATCH):
            self._scratch[:size] = self._scratch[begin : self._end]
            begin, self._end = 0, size
        self._begin = begin


def _fault(magic: bytes, kind: int, size: int) -> FrameError:
    if magic != _MAGIC or kind not in _KINDS:
        return FrameError("found bytes that begin no frame")
    return FrameError(f"found a frame of {size} bytes, which is more than allowed")


def drop_sent(pending: deque[Buffer], sent: int) -> None:
    """Take the first ``sent`` bytes off the buffers still to be written."""
    while sent:
        first = pending[0]
        if sent < len(first):
            pending[0] = memoryview(first)[sent:]
            return
        sent -= len(first)
        pending.popleft()
