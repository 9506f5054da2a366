"""The end of a zip file: where the table of contents lies.

Invariant: the end record is the last thing in the file and there is one candidate for it only.
"""

import struct
from dataclasses import dataclass
from typing import IO, Final

from wfctl.archive.budgets import Budgets
from wfctl.errors import ArchiveError

_END: Final = struct.Struct("<4s4H2LH")
_END_MAGIC: Final = b"PK\x05\x06"
_LOCATOR: Final = struct.Struct("<4sLQL")
_WIDE_END: Final = struct.Struct("<4sQ2H2L4Q")
_LONGEST_COMMENT: Final = 0xFFFF
_SMALLEST_ROW: Final = 46


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Where the table of contents is and how many rows it has."""

    offset: int
    size: int
    entries: int


def find_contents(stream: IO[bytes], budgets: Budgets) -> Contents:
    """Return the place of the table of contents; raise ``ArchiveError`` where it is missing, doubtful or too large."""
    end, fields = _end_record(stream)
    stream.seek(max(0, end - _LOCATOR.size))
    locator = stream.read(_LOCATOR.size)
    if len(locator) == _LOCATOR.size and locator.startswith(b"PK\x06\x07"):
        contents, end = _wide_contents(stream, locator, end - _LOCATOR.size, fields)
    else:
        contents = _narrow_contents(fields)
    if contents.offset + contents.size != end:
        raise ArchiveError("the table of contents is not where the end of the archive says")
    _judge(contents, budgets)
    return contents


def _end_record(stream: IO[bytes]) -> tuple[int, tuple[int, ...]]:
    """Return the offset of the end record, and its numbers."""
    length = stream.seek(0, 2)
    start = max(0, length - _END.size - _LONGEST_COMMENT)
    stream.seek(start)
    tail = stream.read()
    first = tail.find(_END_MAGIC)
    candidates = []
    while first >= 0:
        if first + _END.size <= len(tail):
            fields = _END.unpack_from(tail, first)
            if first + _END.size + fields[-1] == len(tail):
                candidates.append((start + first, fields[1:]))
        first = tail.find(_END_MAGIC, first + 1)
    if not candidates:
        after = "has bytes after its end, or is cut short" if _END_MAGIC in tail else "is cut short"
        raise ArchiveError(f"the archive {after}")
    if len(candidates) > 1:
        raise ArchiveError("the archive has two ends; which of them counts depends on the reader")
    return candidates[0]


def _narrow_contents(fields: tuple[int, ...]) -> Contents:
    disk, first_disk, entries_here, entries, size, offset, _ = fields
    if disk or first_disk or entries_here != entries:
        raise ArchiveError("the archive is one of several parts")
    return Contents(offset=offset, size=size, entries=entries)


def _wide_contents(stream: IO[bytes], locator: bytes, locator_at: int, narrow: tuple[int, ...]) -> tuple[Contents, int]:
    """Return the contents by the zip64 record, and where that record begins."""
    _, disk, record_at, disks = _LOCATOR.unpack(locator)
    if disk or disks > 1 or record_at + _WIDE_END.size > locator_at:
        raise ArchiveError("the archive is one of several parts, or damaged")
    stream.seek(record_at)
    magic, length, _, _, *numbers = _WIDE_END.unpack(stream.read(_WIDE_END.size))
    if magic != b"PK\x06\x06" or record_at + 12 + length != locator_at:
        raise ArchiveError("the end of the archive is damaged")
    full = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    for wide, small, top in zip(numbers, narrow, full, strict=False):
        if small not in {wide, top}:
            raise ArchiveError("the two end records of the archive contradict each other")
    return _narrow_contents((*numbers, 0)), record_at


def _judge(contents: Contents, budgets: Budgets) -> None:
    if contents.entries > budgets.members:
        raise ArchiveError(f"the archive has {contents.entries:,} members; at most {budgets.members:,} are read")
    if contents.size > budgets.directory_bytes:
        raise ArchiveError(f"the table of contents is larger than {budgets.directory_bytes:,} bytes")
    if contents.entries * _SMALLEST_ROW > contents.size:
        raise ArchiveError("the table of contents is cut short")
