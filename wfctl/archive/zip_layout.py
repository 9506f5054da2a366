"""The layout of a zip file: both sets of headers read and compared, every byte accounted for.

The standard library reads the table of contents alone, skips bytes before the archive, keeps the last of two members
of one name and never compares a member's own header. Here the two must agree, members must follow each other without
gap or overlap from the first byte on, and nothing may follow the end: so there is one way only to read the file.

Invariant: whatever is returned lies inside the file; no member's content has been looked at.
"""

import stat
import struct
from dataclasses import dataclass
from typing import IO, Final

from wfctl.archive.budgets import Budgets
from wfctl.archive.names import NameSet, clean_name, refused, shortened
from wfctl.archive.zip_end import Contents, find_contents
from wfctl.errors import ArchiveError

STORED: Final = 0
DEFLATED: Final = 8

_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_DESCRIPTORS: Final = {12: "<3L", 16: "<4x3L", 20: "<L2Q", 24: "<4xL2Q"}
_ENCRYPTED: Final = 0x0001 | 0x0040 | 0x2000
_PATCHED: Final = 0x0020
_HAS_DESCRIPTOR: Final = 0x0008
_UTF8: Final = 0x0800
_COMPARED: Final = _ENCRYPTED | _PATCHED | _UTF8
_FULL_32: Final = 0xFFFFFFFF
_ZIP64: Final = 0x0001
_UNICODE_PATH: Final = 0x7075


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipEntry:
    """One member as both headers describe it."""

    name: str
    is_folder: bool
    method: int
    crc: int
    packed: int
    size: int
    data_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Central:
    raw_name: bytes
    name: str
    is_folder: bool
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def read_layout(stream: IO[bytes], budgets: Budgets) -> tuple[ZipEntry, ...]:
    """Return the members in the order of their places in the file; raise ``ArchiveError`` for any disagreement."""
    contents = find_contents(stream, budgets)
    table = sorted(_read_table(stream, contents, budgets), key=lambda row: row.offset)
    starts = [*(row.offset for row in table), contents.offset]
    if starts[0] != 0:
        raise ArchiveError("the archive has bytes before its first member")
    return tuple(_read_local(stream, row, following) for row, following in zip(table, starts[1:], strict=True))


def _read_table(stream: IO[bytes], contents: Contents, budgets: Budgets) -> list[_Central]:
    stream.seek(contents.offset)
    table = stream.read(contents.size)
    names, rows, position, total = NameSet(), [], 0, 0
    # Members may each grow far from little: what all of them may is bounded by the file.
    limit = min(budgets.total_bytes, budgets.member_limit(contents.offset))
    for _ in range(contents.entries):
        row, position = _central(table, position)
        if row.name:
            names.add(row.name, is_folder=row.is_folder)
        _judge(row, budgets)
        total += row.size
        if total > limit:
            raise ArchiveError(f"the members unpack to more than {limit:,} bytes", member=row.name)
        rows.append(row)
    if position != len(table):
        raise ArchiveError("the table of contents holds more than its members")
    return rows


def _central(table: bytes, position: int) -> tuple[_Central, int]:
    try:
        fields = _CENTRAL.unpack_from(table, position)
    except struct.error as error:
        raise ArchiveError("the table of contents is cut short") from error
    signature, _, _, flags, method, _, _, crc, packed, size, n_name, n_extra, n_comment, disk, _, attributes, offset = (
        fields
    )
    start = position + _CENTRAL.size
    end = start + n_name + n_extra + n_comment
    if signature != b"PK\x01\x02" or end > len(table) or disk not in {0, 0xFFFF}:
        raise ArchiveError("the table of contents is damaged")
    raw_name = table[start : start + n_name]
    name = _decoded(raw_name, flags)
    extra = _extras(table[start + n_name : start + n_name + n_extra], name)
    size, packed, offset = _wide((size, packed, offset), extra.get(_ZIP64, b""), name)
    _judge_unicode_path(extra, raw_name, name)
    row = _Central(
        raw_name=raw_name,
        name=clean_name(name),
        is_folder=_is_folder(name, attributes >> 16),
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        offset=offset,
    )
    return row, end


def _decoded(raw: bytes, flags: int) -> str:
    # The original reads names as UTF-8 whether the flag is set or not; older tools wrote code page 437.
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        if flags & _UTF8:
            raise ArchiveError("a member's name is not UTF-8", member=repr(raw)) from error
        return raw.decode("cp437")


def _extras(raw: bytes, name: str) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    position = 0
    # Up to three bytes at the end are padding that alignment tools leave.
    while position + 4 <= len(raw):
        kind, length = struct.unpack_from("<HH", raw, position)
        position += 4
        if position + length > len(raw) or (kind == _ZIP64 and kind in found):
            raise refused(name, "has a damaged header")
        found[kind] = raw[position : position + length]
        position += length
    return found


def _wide(values: tuple[int, ...], extra: bytes, name: str) -> list[int]:
    """Replace each value that is all ones by the next wide number of the zip64 field."""
    position, wide = 0, []
    for value in values:
        if value == _FULL_32 and extra:
            if position + 8 > len(extra):
                raise refused(name, "has a damaged header")
            value = int.from_bytes(extra[position : position + 8], "little")  # noqa: PLW2901 - the value proper
            position += 8
        wide.append(value)
    return wide


def _judge_unicode_path(extra: dict[int, bytes], raw_name: bytes, name: str) -> None:
    other = extra.get(_UNICODE_PATH)
    if other is not None and other[5:] != raw_name:
        raise refused(name, "has a second name that some tools would use")


def _is_folder(name: str, mode: int) -> bool:
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        raise refused(name, "is a symbolic link")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise refused(name, "is a device, a pipe or a socket")
    is_folder = name.endswith("/")
    if kind == stat.S_IFDIR and not is_folder:
        raise refused(name, "is a folder by its mode and a file by its name")
    return is_folder


def _judge(row: _Central, budgets: Budgets) -> None:
    if row.flags & _ENCRYPTED:
        raise refused(row.name, "is encrypted")
    if row.flags & _PATCHED or row.method not in {STORED, DEFLATED}:
        raise refused(row.name, f"is compressed by method {row.method}; only stored and deflated members are read")
    if row.is_folder and row.size:
        raise refused(row.name, "is a folder with content")
    if row.method == STORED and row.packed != row.size:
        raise refused(row.name, "is stored and declares two different sizes")
    if row.size > budgets.member_limit(row.packed):
        raise refused(row.name, f"unpacks {row.packed:,} bytes to {row.size:,}: that is a bomb, not a model")


def _read_local(stream: IO[bytes], row: _Central, following: int) -> ZipEntry:
    stream.seek(row.offset)
    header = stream.read(_LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        raise refused(row.name, "has no header of its own")
    _, _, flags, method, _, _, crc, packed, size, n_name, n_extra = _LOCAL.unpack(header)
    raw_name = stream.read(n_name)
    extra = _extras(stream.read(n_extra), row.name)
    size, packed = _wide((size, packed), extra.get(_ZIP64, b""), row.name)
    data_offset = row.offset + _LOCAL.size + n_name + n_extra
    if raw_name != row.raw_name:
        other = shortened(raw_name.decode("utf-8", "replace"))
        raise refused(row.name, f'is called "{other}" by its own header')
    _judge_unicode_path(extra, raw_name, row.name)
    if method != row.method or (flags ^ row.flags) & _COMPARED:
        raise refused(row.name, "is described differently by its own header and the table of contents")
    has_descriptor = bool(flags & _HAS_DESCRIPTOR)
    _judge_numbers(row, (crc, packed, size), may_be_blank=has_descriptor)
    _judge_extent(stream, row, data_offset + row.packed, following, has_descriptor=has_descriptor)
    return ZipEntry(
        name=row.name,
        is_folder=row.is_folder,
        method=row.method,
        crc=row.crc,
        packed=row.packed,
        size=row.size,
        data_offset=data_offset,
    )


def _judge_numbers(row: _Central, own: tuple[int, int, int], *, may_be_blank: bool) -> None:
    blank = {0, _FULL_32} if may_be_blank else set()
    for mine, theirs in zip(own, (row.crc, row.packed, row.size), strict=True):
        if mine != theirs and mine not in blank:
            raise refused(row.name, "has sizes or a checksum that its own header denies")


def _judge_extent(stream: IO[bytes], row: _Central, end: int, following: int, *, has_descriptor: bool) -> None:
    """Check that nothing lies between this member and what follows but the descriptor it announces."""
    gap = following - end
    if gap < 0:
        raise refused(row.name, "overlaps with what follows it")
    if not has_descriptor:
        if gap:
            raise refused(row.name, f"is followed by {gap:,} bytes that belong to no member")
        return
    form = _DESCRIPTORS.get(gap)
    stream.seek(end)
    if form is None or struct.unpack(form, stream.read(gap)) != (row.crc, row.packed, row.size):
        raise refused(row.name, "is followed by bytes that do not describe it")
