"""Members of a zip, streamed.

Invariant: a member yields exactly the bytes its headers declare, with the declared checksum, or the reading fails.
"""

import zlib
from collections.abc import Iterator
from typing import IO

from wfctl.archive.budgets import Budgets
from wfctl.archive.member import CHUNK, Member, Wanted, everything
from wfctl.archive.names import refused
from wfctl.archive.zip_layout import DEFLATED, ZipEntry, read_layout
from wfctl.errors import ArchiveError


class ZipReader:
    """A zip file that is open; its layout has been judged."""

    def __init__(self, stream: IO[bytes], budgets: Budgets) -> None:
        self._stream = stream
        self._entries = read_layout(stream, budgets)

    def members(self) -> tuple[Member, ...]:
        """Return every member; only headers are read."""
        return tuple(_member(entry) for entry in self._entries if entry.name)

    def walk(self, wanted: Wanted = everything) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Yield the wanted members in the order of the file."""
        for entry in self._entries:
            if entry.name and wanted(entry.name):
                yield _member(entry), self._content(entry)

    def _content(self, entry: ZipEntry) -> Iterator[bytes]:
        if entry.is_folder:
            return
        crc, count = 0, 0
        for chunk in self._unpacked(entry):
            count += len(chunk)
            if count > entry.size:
                raise refused(entry.name, f"unpacks to more than the {entry.size:,} bytes it declares")
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if count != entry.size:
            raise refused(entry.name, f"unpacks to {count:,} bytes and declares {entry.size:,}")
        if crc != entry.crc:
            raise refused(entry.name, "is damaged: its checksum is wrong")

    def _unpacked(self, entry: ZipEntry) -> Iterator[bytes]:
        packed = self._packed(entry)
        if entry.method != DEFLATED:
            yield from packed
            return
        try:
            yield from _inflate(packed, entry.name)
        except zlib.error as error:
            raise refused(entry.name, f"is damaged: {error}") from error

    def _packed(self, entry: ZipEntry) -> Iterator[bytes]:
        position, left = entry.data_offset, entry.packed
        while left:
            # Others may have read from the same handle between two chunks.
            self._stream.seek(position)
            chunk = self._stream.read(min(CHUNK, left))
            if not chunk:
                raise ArchiveError("the archive was cut short while it was read", member=entry.name)
            position += len(chunk)
            left -= len(chunk)
            yield chunk


def _inflate(packed: Iterator[bytes], name: str) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for chunk in packed:
        if inflater.eof:
            raise refused(name, "has bytes after its compressed content")
        pending = chunk
        # A chunk may hold a thousand times its size: never more than CHUNK of it at once.
        while pending:
            yield inflater.decompress(pending, CHUNK)
            pending = inflater.unconsumed_tail
    while not inflater.eof:
        rest = inflater.decompress(b"", CHUNK)
        if not rest:
            raise refused(name, "is cut short")
        yield rest
    if inflater.unused_data:
        raise refused(name, "has bytes after its compressed content")


def _member(entry: ZipEntry) -> Member:
    return Member(name=entry.name, size=entry.size, is_folder=entry.is_folder)
