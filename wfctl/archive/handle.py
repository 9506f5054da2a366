"""One open file: opened safely, told apart by its first bytes, hashed, and sure not to change meanwhile.

Invariant: a path is opened once; whatever stands there later is another file.
"""

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from wfctl.archive.member import CHUNK
from wfctl.errors import ArchiveError, UnreadableInputError
from wfctl.plain_file import only_plain

_ZIP_MAGICS: Final = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP_MAGIC: Final = b"\x1f\x8b"
_TAIL: Final = 1 << 17
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a plain file; raise ``ArchiveError`` if it was written to before the block ended well."""
    try:
        stream = open(path, "rb", opener=only_plain)  # noqa: SIM115 - the block below closes it
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{path}": {error.strerror}') from error
    with stream:
        before = os.fstat(stream.fileno())
        yield stream
        after = os.fstat(stream.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise ArchiveError(f'"{path.name}" was written to while it was read')


@contextmanager
def out_of_reach(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """Offer bytes that nobody else can change from now on: the file itself, or a copy of it that has no name.

    Others who may write to a file can set its dates too, so that looking at them does not tell.
    """
    status = os.fstat(stream.fileno())
    if sys.platform == "win32" or (status.st_uid in {os.getuid(), 0} and not status.st_mode & _OTHERS_WRITE):
        yield stream
        return
    with tempfile.TemporaryFile() as copy:
        stream.seek(0)
        shutil.copyfileobj(stream, copy, CHUNK)
        yield copy


def is_zip(stream: IO[bytes], name: str) -> bool:
    """Whether it is a zip and not a gzip tar, by its first bytes; raise ``ArchiveError`` if it is neither."""
    stream.seek(0)
    magic = stream.read(4)
    if magic in _ZIP_MAGICS:
        return True
    if magic.startswith(_GZIP_MAGIC):
        return False
    if not magic:
        raise ArchiveError(f'"{name}" is empty')
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL))
    has_zip = _ZIP_MAGICS[1] in stream.read()
    what = "has bytes before the zip that it ends in" if has_zip else "is neither a zip nor a gzip tar"
    raise ArchiveError(f'"{name}" {what}')


def digest_of_file(stream: IO[bytes]) -> str:
    """Return the SHA-256 of the whole file behind a handle."""
    stream.seek(0)
    return digest_of(iter(lambda: stream.read(CHUNK), b""))


def digest_of(chunks: Iterable[bytes]) -> str:
    """Return the SHA-256 of what streams by."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
