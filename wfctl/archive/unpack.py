"""The one door through which archives are read: zip, gzip tar, or folder, told apart by content.

Everything works on one handle that is opened once: an archive that is replaced meanwhile changes nothing, and one that
is written to meanwhile is refused.

Invariant: nothing is written before every name has passed, and after a failure nothing is left.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

from wfctl.archive.budgets import DEFAULT_BUDGETS, Budgets
from wfctl.archive.folder_reader import FolderReader
from wfctl.archive.member import CHUNK, Member, Reader
from wfctl.archive.peek import ContentKind, Peek
from wfctl.archive.tar_reader import TarReader
from wfctl.archive.zip_reader import ZipReader
from wfctl.errors import ArchiveError, UnreadableInputError

_ZIP_MAGICS: Final = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP_MAGIC: Final = b"\x1f\x8b"
_TAIL: Final = 1 << 17


class Container(StrEnum):
    """How an archive is packed."""

    ZIP = "zip"
    TAR = "gzip tar"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMember:
    """One file of an archive with the digest of its content."""

    name: str
    size: int
    sha256: str
    content: ContentKind
    """What the bytes are, as far as that matters before they are loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """Where the files of an archive are now."""

    root: Path
    """The folder that was asked for; for a folder that one itself, as nothing is copied."""
    container: Container
    names: frozenset[str]
    """Every file."""


class Archive:
    """An archive that is open; made by ``open_archive`` only."""

    def __init__(self, path: Path, reader: Reader, budgets: Budgets, stream: IO[bytes] | None = None) -> None:
        self.path = path
        self.budgets = budgets
        self._reader = reader
        self._stream = stream

    @property
    def container(self) -> Container:
        """How it is packed."""
        if isinstance(self._reader, FolderReader):
            return Container.FOLDER
        return Container.ZIP if isinstance(self._reader, ZipReader) else Container.TAR

    @property
    def root(self) -> Path | None:
        """The folder that is read in place; ``None`` for a packed archive."""
        return self._reader.root if isinstance(self._reader, FolderReader) else None

    def sha256(self) -> str | None:
        """Return the digest of the file itself, read from the open handle; ``None`` for a folder."""
        return None if self._stream is None else _digest_of_whole(self._stream)

    def members(self) -> tuple[Member, ...]:
        """Return every file and folder."""
        return self._reader.members()

    def names(self) -> frozenset[str]:
        """Return the names of all files."""
        return frozenset(member.name for member in self.members() if not member.is_folder)

    def read(self, name: str, limit: int) -> bytes | None:
        """Return the content of one file, or ``None`` if there is none; refuse more than ``limit`` bytes."""
        for member, content in self._reader.walk(lambda candidate: candidate == name):
            if member.is_folder:
                continue
            return _bounded(member, content, limit)
        return None

    def listing(self) -> Iterator[ListedMember]:
        """Yield every file with its digest."""
        for member, content in self._reader.walk():
            if not member.is_folder:
                peek = Peek(member.name)
                digest = _digest(peek.passing(content))
                yield ListedMember(name=member.name, size=member.size, sha256=digest, content=peek.kind())

    def extract(self, target: Path) -> frozenset[str]:
        """Write every member below ``target``, an empty private folder, and return the names of the files."""
        # Members are judged one by one while a tar is unpacked; the caller throws the folder away on failure.
        names = set()
        for member, content in self._reader.walk():
            path = target / member.name
            if member.is_folder:
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as sink:
                for chunk in content:
                    sink.write(chunk)
            names.add(member.name)
        return frozenset(names)


@contextmanager
def open_archive(path: Path, budgets: Budgets = DEFAULT_BUDGETS, *, sha256: str | None = None) -> Iterator[Archive]:
    """Open a zip, a gzip tar or a folder; with ``sha256``, only if it is a file of that digest."""
    with _explained(path):
        if path.is_dir():
            if sha256 is not None:
                raise ArchiveError(f'"{path.name}" is a folder, and sha256 pins a file')
            yield Archive(path, FolderReader(path, budgets), budgets)
            return
        with _opened(path) as stream:
            yield from _open_file(path, stream, budgets, sha256)


def _open_file(path: Path, stream: IO[bytes], budgets: Budgets, sha256: str | None) -> Iterator[Archive]:
    before = os.fstat(stream.fileno())
    _judge_digest(path, stream, sha256)
    reader = ZipReader(stream, budgets) if _is_zip(path, stream) else TarReader(stream, budgets)
    yield Archive(path, reader, budgets, stream)
    after = os.fstat(stream.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ArchiveError(f'"{path.name}" was written to while it was read')


def unpack(path: Path, into: Path, *, sha256: str | None = None, budgets: Budgets = DEFAULT_BUDGETS) -> Unpacked:
    """Unpack an archive to the folder ``into``, which must not exist yet or be empty.

    A folder is not copied: it is used where it is. After any failure ``into`` is as it was.
    """
    with _private_folder(path, into) as draft, open_archive(path, budgets, sha256=sha256) as archive:
        root = archive.root
        names = archive.names() if root else archive.extract(draft.create())
        container = archive.container
    return Unpacked(root=(root or into).absolute(), container=container, names=names)


def list_members(path: Path, budgets: Budgets = DEFAULT_BUDGETS) -> tuple[ListedMember, ...]:
    """Return every file of an archive with size and digest; nothing is written."""
    with open_archive(path, budgets) as archive:
        return tuple(sorted(archive.listing(), key=lambda member: member.name))


def read_member(path: Path, name: str, *, limit: int, budgets: Budgets = DEFAULT_BUDGETS) -> bytes | None:
    """Return the content of one file of an archive, or ``None`` if it is not there; nothing is written."""
    with open_archive(path, budgets) as archive:
        return archive.read(name, limit)


class _Draft:
    """A folder that only this user may enter, made when it is needed."""

    def __init__(self, into: Path) -> None:
        self._into = into
        self.path: Path | None = None

    def create(self) -> Path:
        """Make the folder beside the one it will become."""
        self.path = Path(tempfile.mkdtemp(prefix=f".{self._into.name}.", dir=self._into.parent))
        return self.path


@contextmanager
def _private_folder(path: Path, into: Path) -> Iterator[_Draft]:
    """Offer a folder that becomes ``into`` if the block ends well, and vanishes if not."""
    draft = _Draft(into)
    try:
        yield draft
        if draft.path:
            draft.path.rename(into)
    except OSError as error:
        raise ArchiveError(f'cannot unpack "{path.name}" to "{into}": {error.strerror or error}') from error
    finally:
        if draft.path:
            shutil.rmtree(draft.path, ignore_errors=True)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        # Without O_NONBLOCK the opening of a pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{path}": {error.strerror}') from error
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadableInputError(f'"{path}" is no plain file')
        yield stream


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Put the name of the archive before a refusal that speaks of its inside."""
    try:
        yield
    except ArchiveError as error:
        if f'"{path.name}"' in error.message:
            raise
        raise ArchiveError(
            f'"{path.name}" is refused: {error.message}', member=error.member, hint=error.hint
        ) from error


def _is_zip(path: Path, stream: IO[bytes]) -> bool:
    """Whether it is a zip and not a gzip tar, by its first bytes; raise ``ArchiveError`` if it is neither."""
    stream.seek(0)
    magic = stream.read(4)
    if magic in _ZIP_MAGICS:
        return True
    if magic.startswith(_GZIP_MAGIC):
        return False
    if not magic:
        raise ArchiveError(f'"{path.name}" is empty')
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL))
    has_zip = _ZIP_MAGICS[1] in stream.read()
    what = "has bytes before the zip that it ends in" if has_zip else "is neither a zip nor a gzip tar"
    raise ArchiveError(f'"{path.name}" {what}')


def _judge_digest(path: Path, stream: IO[bytes], wanted: str | None) -> None:
    if wanted is None:
        return
    found = _digest_of_whole(stream)
    if found != wanted.lower():
        raise ArchiveError(f'"{path.name}" is not the archive that sha256 pins: it has {found}')


def _digest_of_whole(stream: IO[bytes]) -> str:
    stream.seek(0)
    return _digest(iter(lambda: stream.read(CHUNK), b""))


def _digest(chunks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _bounded(member: Member, content: Iterator[bytes], limit: int) -> bytes:
    if member.size > limit:
        raise ArchiveError(
            f'member "{member.name}" is {member.size:,} bytes long; at most {limit:,} are read', member=member.name
        )
    return b"".join(content)
