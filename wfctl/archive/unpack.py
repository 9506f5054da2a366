"""The one door through which archives are read: zip, gzip tar, or folder, told apart by content.

Everything works on one handle that is opened once: an archive that is replaced meanwhile changes nothing, and one that
is written to meanwhile is refused. What a digest pins is read from where nobody else can write.

Invariant: files are written into a private folder only, which appears whole or, after any failure, not at all.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

from wfctl.archive.budgets import DEFAULT_BUDGETS, Budgets
from wfctl.archive.draft import private_folder
from wfctl.archive.folder_reader import FolderReader
from wfctl.archive.handle import digest_of, digest_of_file, is_zip, opened, out_of_reach
from wfctl.archive.member import Member, Reader, read_from
from wfctl.archive.peek import ContentKind, Peek
from wfctl.archive.tar_reader import TarReader
from wfctl.archive.zip_reader import ZipReader
from wfctl.errors import ArchiveError

_NESTED: Final = (".mar", ".war", ".tar.gz")


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
        return None if self._stream is None else digest_of_file(self._stream)

    def members(self) -> tuple[Member, ...]:
        """Return every file and folder."""
        return self._reader.members()

    def names(self) -> frozenset[str]:
        """Return the names of all files."""
        return frozenset(member.name for member in self.members() if not member.is_folder)

    def read(self, name: str, limit: int) -> bytes | None:
        """Return the content of one file, or ``None`` if there is none; refuse more than ``limit`` bytes."""
        return read_from(self._reader, name, limit)

    def beginnings(self, limit_for: Callable[[str], int]) -> Iterator[tuple[Member, bytes]]:
        """Yield the first bytes of each file that ``limit_for`` gives a limit above 0, all in one pass."""
        for member, content in self._reader.walk(lambda name: limit_for(name) > 0):
            if member.is_folder:
                continue
            limit, head = limit_for(member.name), bytearray()
            for chunk in content:
                head += chunk[: limit - len(head)]
                if len(head) >= limit:
                    break
            yield member, bytes(head)

    def listing(self) -> Iterator[ListedMember]:
        """Yield every file with its digest."""
        for member, content in self._reader.walk():
            if not member.is_folder:
                peek = Peek(member.name)
                digest = digest_of(peek.passing(content))
                yield ListedMember(name=member.name, size=member.size, sha256=digest, content=peek.kind())

    def nested_faults(self) -> Iterator[ArchiveError]:
        """Yield why archives inside this one would be refused; archives inside those are members like any other."""
        left = self.budgets.member_limit(0 if self._stream is None else self._stream.seek(0, os.SEEK_END))
        for member, content in self._reader.walk(lambda name: name.endswith(_NESTED)):
            # It has no name on the disk, and is gone when it is closed.
            with tempfile.TemporaryFile() as copy:
                copy.writelines(content)
                copy.seek(0)
                try:
                    # Thousands of small bombs make a large one: what all of them unpack to is bounded together.
                    reader = _reader(member.name, copy, replace(self.budgets, total_bytes=max(0, left)))
                    left -= sum(len(chunk) for _, inner in reader.walk() for chunk in inner)
                except ArchiveError as error:
                    yield ArchiveError(f'"{member.name}" would be refused: {error.message}', member=member.name)

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
        if os.path.isdir(path):  # noqa: PTH112 - not Path.is_dir, which raises for a name that is too long
            if sha256 is not None:
                raise ArchiveError(f'"{path.name}" is a folder, and sha256 pins a file')
            yield Archive(path, FolderReader(path, budgets), budgets)
            return
        with opened(path) as stream:
            if sha256 is None:
                yield Archive(path, _reader(path.name, stream, budgets), budgets, stream)
                return
            with out_of_reach(stream) as pinned:
                _judge_digest(path, digest_of_file(pinned), sha256)
                yield Archive(path, _reader(path.name, pinned, budgets), budgets, pinned)


def unpack(path: Path, into: Path, *, sha256: str | None = None, budgets: Budgets = DEFAULT_BUDGETS) -> Unpacked:
    """Unpack an archive to the folder ``into``, which must not exist yet or be empty.

    A folder is not copied: it is used where it is. After any failure ``into`` is as it was.
    """
    with private_folder(path, into) as draft, open_archive(path, budgets, sha256=sha256) as archive:
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


def _reader(name: str, stream: IO[bytes], budgets: Budgets) -> Reader:
    return ZipReader(stream, budgets) if is_zip(stream, name) else TarReader(stream, budgets)


def _judge_digest(path: Path, found: str, wanted: str) -> None:
    if found != wanted.lower():
        raise ArchiveError(f'"{path.name}" is not the archive that sha256 pins: it has {found}')
