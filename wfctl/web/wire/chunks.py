"""A body that comes in chunks (RFC 9112, section 7.1) becomes one piece of memory.

Invariant: memory is that of the body so far and of one line; extensions and trailers are checked and thrown away.
"""

import re

from wfctl.web.wire.grammar import NAME, VALUE
from wfctl.web.wire.messages import Limits, RequestError

_SIZE = re.compile(rf"([0-9A-Fa-f]{{1,15}})(?:[ \t]*+;{VALUE})?+".encode("ascii"))
_TRAILER = re.compile(f"{NAME}:{VALUE}".encode("ascii"))
_END = b"\r\n"
_LONGEST_LINE = 256
"""Bytes of a size with its extensions."""
_MOST_TRAILERS = 8 * 1024
"""Bytes of all trailers."""


class ChunkReader:
    """One body."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._body = bytearray()
        self._left = 0
        """Bytes of the chunk at hand that have not come."""
        self._is_in_chunk = False
        self._is_behind = False
        """Whether the last chunk was met, and trailers follow."""
        self._trailers = 0
        """Bytes of trailers so far."""

    @property
    def size(self) -> int:
        """Bytes of the body so far."""
        return len(self._body)

    def take_from(self, buffer: bytearray) -> bytearray | None:
        """Take what is there off the front of ``buffer``; return the body once it is whole. Raises ``RequestError``."""
        while not self._is_behind:
            if self._is_in_chunk:
                if not self._take_data(buffer):
                    return None
            elif not self._take_size(buffer):
                return None
        while (line := _line_of(buffer, min(self._limits.head, _MOST_TRAILERS) - self._trailers, 431)) is not None:
            self._trailers += len(line) + len(_END)
            if not line:
                return self._body
            if not _TRAILER.fullmatch(line):
                raise RequestError(400, "a trailer is no field")
        return None

    def _take_size(self, buffer: bytearray) -> bool:
        line = _line_of(buffer, _LONGEST_LINE, 400)
        if line is None:
            return False
        match = _SIZE.fullmatch(line)
        if match is None:
            raise RequestError(400, "a chunk begins with no size")
        self._left = int(match[1], 16)
        if len(self._body) + self._left > self._limits.body:
            raise RequestError(413, f"the body is larger than {self._limits.body} bytes")
        self._is_behind = not self._left
        self._is_in_chunk = not self._is_behind
        return True

    def _take_data(self, buffer: bytearray) -> bool:
        taken = min(self._left, len(buffer))
        self._body += memoryview(buffer)[:taken]
        del buffer[:taken]
        self._left -= taken
        if self._left or len(buffer) < len(_END):
            if not self._left and buffer and buffer[:1] != b"\r":
                raise RequestError(400, "a chunk is longer than it says")
            return False
        if not buffer.startswith(_END):
            raise RequestError(400, "a chunk is longer than it says")
        del buffer[: len(_END)]
        self._is_in_chunk = False
        return True


def _line_of(buffer: bytearray, longest: int, status: int) -> bytes | None:
    """Take a line off the front, without its end; ``None`` if it is not whole yet."""
    end = buffer.find(_END, 0, longest + len(_END))
    if end >= 0:
        line = bytes(buffer[:end])
        del buffer[: end + len(_END)]
        return line
    if len(buffer) > longest or b"\n" in buffer:
        raise RequestError(status if len(buffer) > longest else 400, "a line between chunks is too long, or ends wrong")
    return None
