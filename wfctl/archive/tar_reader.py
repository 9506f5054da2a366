"""Members of a gzip tar, streamed; the first component of every path is dropped, as the original does.

``tarfile`` reads extended headers of any length into memory and makes links by itself, so only its reading of one
header block is used.

Invariant: only plain files and folders come out; memory stays small whatever the headers declare.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Final

from wfctl.archive.budgets import Budgets
from wfctl.archive.member import CHUNK, Member, Wanted, everything
from wfctl.archive.names import NameSet, clean_name, refused
from wfctl.errors import ArchiveError

_BLOCK: Final = tarfile.BLOCKSIZE
_LONGEST_EXTENSION: Final = 1 << 20
_REFUSED: Final = {
    tarfile.LNKTYPE: "is a hard link",
    tarfile.SYMTYPE: "is a symbolic link",
    tarfile.CHRTYPE: "is a device",
    tarfile.BLKTYPE: "is a device",
    tarfile.FIFOTYPE: "is a pipe",
    tarfile.GNUTYPE_SPARSE: "is a sparse file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extension:
    """What headers before a member's own say about it."""

    name: str | None = None
    size: int | None = None


class TarReader:
    """A gzip tar that is open; reading it again begins at the start of the same handle."""

    def __init__(self, stream: IO[bytes], budgets: Budgets) -> None:
        self._stream = stream
        self._budgets = budgets
        self._members: tuple[Member, ...] | None = None

    def members(self) -> tuple[Member, ...]:
        """Return every member; a tar has no table of contents, so the whole is unpacked once and thrown away."""
        if self._members is None:
            self._members = tuple(member for member, _ in self.walk())
        return self._members

    def walk(self, wanted: Wanted = everything) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Yield the wanted members in the order of the file."""
        packed = self._stream.seek(0, 2)
        self._stream.seek(0)
        limit = min(self._budgets.total_bytes, self._budgets.member_limit(packed))
        with gzip.GzipFile(fileobj=self._stream) as unzipped:
            blocks = _Blocks(unzipped, limit)
            names = NameSet()
            for count, member in enumerate(_headers(blocks), 1):
                if count > self._budgets.members:
                    raise ArchiveError(f"the archive has more than {self._budgets.members:,} members")
                if member.name:
                    names.add(member.name, is_folder=member.is_folder)
                content = blocks.content(member.size)
                if member.name and wanted(member.name):
                    yield member, content
                for _ in content:
                    pass
            blocks.expect_end()


class _Blocks:
    """The unpacked stream with its budget; foreign errors become ours here."""

    def __init__(self, source: gzip.GzipFile, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._count = 0

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes."""
        try:
            chunk = self._source.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ArchiveError(f"the archive is damaged: {error}") from error
        self._count += len(chunk)
        if self._count > self._limit:
            raise ArchiveError(f"the archive unpacks to more than {self._limit:,} bytes: that is a bomb, not a model")
        return chunk

    def exactly(self, size: int) -> bytes:
        """Read ``size`` bytes, all of them."""
        found = self.read(size)
        while len(found) < size:
            more = self.read(size - len(found))
            if not more:
                raise ArchiveError("the archive is cut short")
            found += more
        return found

    def content(self, size: int) -> Iterator[bytes]:
        """Yield ``size`` bytes and skip the padding after them."""
        left = size
        while left:
            chunk = self.exactly(min(CHUNK, left))
            left -= len(chunk)
            yield chunk
        self.exactly(-size % _BLOCK)

    def expect_end(self) -> None:
        """Read on to the end; only zeros may follow the last member."""
        while chunk := self.read(CHUNK):
            if chunk.strip(b"\0"):
                raise ArchiveError("the archive has bytes after its end")


def _headers(blocks: _Blocks) -> Iterator[Member]:
    extension = _Extension()
    while (block := blocks.exactly(_BLOCK)).strip(b"\0"):
        header = _header(block)
        if header.type in {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE}:
            found = _pax(_extended(blocks, header))
            if header.type == tarfile.XGLTYPE and found != _Extension():
                raise ArchiveError("the archive gives one name or one size to all members")
            extension = replace(
                extension, name=found.name or extension.name, size=extension.size if found.size is None else found.size
            )
        elif header.type == tarfile.GNUTYPE_LONGNAME:
            raw = _extended(blocks, header)
            extension = replace(extension, name=_text(raw.rstrip(b"\0")))
        elif header.type == tarfile.GNUTYPE_LONGLINK:
            _extended(blocks, header)
        else:
            yield _member(header, extension)
            extension = _Extension()
    if extension != _Extension():
        raise ArchiveError("the archive is cut short")


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise ArchiveError(f"the archive is no tar: {error}") from error
    if header.size < 0:
        raise refused(header.name, "declares a negative size")
    return header


def _extended(blocks: _Blocks, header: tarfile.TarInfo) -> bytes:
    if header.size > _LONGEST_EXTENSION:
        raise refused(header.name, "has a header that is too long")
    return b"".join(blocks.content(header.size))


def _pax(raw: bytes) -> _Extension:
    """Read the records ``length key=value`` and keep what changes a name or a size."""
    name, size, position = None, None, 0
    while position < len(raw):
        space = raw.find(b" ", position, position + 8)
        digits = raw[position:space] if space > position else b""
        length = int(digits) if digits.isdigit() else 0
        record = raw[space + 1 : position + length]
        if not record.endswith(b"\n") or b"=" not in record:
            raise ArchiveError("the archive has a damaged header")
        key, _, value = record[:-1].partition(b"=")
        if key.startswith(b"GNU.sparse."):
            raise ArchiveError("the archive holds a sparse file")
        if key == b"path":
            name = _text(value)
        elif key == b"size":
            size = _number(value)
        position += length
    return _Extension(name=name, size=size)


def _number(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20:  # noqa: PLR2004 - digits of the largest 64-bit number
        raise ArchiveError("the archive has a damaged header")
    return int(value)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _member(header: tarfile.TarInfo, extension: _Extension) -> Member:
    raw = extension.name or header.name
    if header.type not in {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE}:
        raise refused(raw, _REFUSED.get(header.type, "is no plain file"))
    clean_name(raw)
    is_folder = header.type == tarfile.DIRTYPE
    size = header.size if extension.size is None else extension.size
    if is_folder and size:
        raise refused(raw, "is a folder with content")
    _, slash, rest = raw.rstrip("/").partition("/")
    if not slash:
        # A file that lies in no folder keeps its name; a folder at the top is the component that is dropped.
        rest = "" if is_folder else raw
    return Member(name=clean_name(rest) if rest else "", size=size, is_folder=is_folder)
