"""Bytes as they come, cut into lines.

Invariant: one block and one begun line are in memory, whatever the file's size; a line beyond the limit is passed
over and not kept. A stream that has nothing to give is waited for without polling, and the wait can be ended.
"""

import os
import select
import stat
from collections.abc import Iterator
from pathlib import Path

from wfctl.errors import UnreadableInputError, WfctlError

BLOCK = 256 * 1024
MAX_LINE = 64 * 2**20
"""Bytes of one line, row or element."""
BOM = b"\xef\xbb\xbf"
"""What Windows puts before UTF-8; it is no part of the text."""

Blocks = Iterator[bytes]


class TooLongError(WfctlError):
    """A line, a row or an element is longer than one may be."""

    code = "too-long"


class StopReading:
    """Ends waits for streams; safe to be set from another thread and more than once."""

    def __init__(self) -> None:
        self._wake, self._ring = os.pipe()

    def fileno(self) -> int:
        """Return what becomes readable when the reading shall stop."""
        return self._wake

    def set(self) -> None:
        """End the wait that is on, and those to come."""
        os.write(self._ring, b"x")

    def close(self) -> None:
        """Let go of the pipe; nobody may wait any more."""
        os.close(self._wake)
        os.close(self._ring)


def open_blocks(path: Path | None, stop: StopReading) -> Blocks:
    """Open a file, or standard input for ``None``, and return its blocks; a byte order mark is left out.

    Raises ``UnreadableInputError`` at once or while it is read.
    """
    descriptor = _standard_input() if path is None else _opened(path)
    return _unmarked(_blocks(descriptor, path, stop))


def _standard_input() -> int:
    try:
        return os.dup(0)
    except OSError as error:
        raise UnreadableInputError("standard input is closed", hint="name a file, or pipe something in") from error


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path | None, error: OSError) -> UnreadableInputError:
    """Return the error for an input that the system does not give us."""
    what = "standard input" if path is None else f'"{path}"'
    return UnreadableInputError(f"{what} cannot be read: {(error.strerror or 'it is no file').lower()}")


def _blocks(descriptor: int, path: Path | None, stop: StopReading) -> Blocks:
    try:
        waits = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        while True:
            if waits and stop.fileno() in select.select([descriptor, stop.fileno()], [], [])[0]:
                return
            block = os.read(descriptor, BLOCK)
            if not block:
                return
            yield block
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        os.close(descriptor)


def _unmarked(blocks: Blocks) -> Blocks:
    start = b""
    for block in blocks:
        start += block
        if not BOM.startswith(start) or len(start) == len(BOM):
            yield start.removeprefix(BOM)
            yield from blocks
            return
    yield start.removeprefix(BOM)


class Lines:
    """The lines of blocks, without their ends; ``None`` stands for one that is too long.

    ``is_drained`` says that the next line may have to be waited for.
    """

    def __init__(self, blocks: Blocks, *, limit: int = MAX_LINE) -> None:
        self._blocks = blocks
        self._limit = limit
        self._begun: list[bytes] = []
        self._begun_size = 0
        self._ready: Iterator[bytes | None] = iter(())
        self._count = 0
        self._is_over = False
        self.position = 0
        """Bytes of the lines that were handed out."""
        self.number = 0
        """Of the line that was handed out last, from 1."""

    @property
    def is_drained(self) -> bool:
        """Whether nothing is left of the last block."""
        return not self._count

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> bytes | None:
        while not self._count:
            if self._is_over:
                raise StopIteration
            self._fill()
        self._count -= 1
        line = next(self._ready)
        self.number += 1
        if line is not None:
            self.position += len(line) + 1
        return line

    def _fill(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            self._is_over = True
            self._hand_out([self._joined(b"")] if self._begun_size else [])
            return
        *whole, rest = block.split(b"\n")
        if whole:
            lines: list[bytes | None] = [self._joined(whole[0]), *whole[1:]]
            self._begun, self._begun_size = [], 0
            self._hand_out(lines)
        self._begun_size += len(rest)
        if self._begun_size > self._limit:
            self._begun.clear()
        elif rest:
            self._begun.append(rest)

    def _hand_out(self, lines: list[bytes | None]) -> None:
        self._ready, self._count = iter(lines), len(lines)

    def _joined(self, end: bytes) -> bytes | None:
        size = self._begun_size + len(end)
        if size > self._limit:
            self.position += size + 1
            return None
        return b"".join((*self._begun, end))
