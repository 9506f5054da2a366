"""A folder read as if it were an archive: an unpacked ``.war``, or a model that was never packed.

Invariant: only plain files are read, and links to folders are not entered.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from wfctl.archive.budgets import Budgets
from wfctl.archive.member import CHUNK, Member, Wanted, everything
from wfctl.archive.names import clean_name, refused
from wfctl.errors import ArchiveError, UnreadableInputError


class FolderReader:
    """A folder; where it holds one folder and nothing else, that one counts."""

    def __init__(self, folder: Path, budgets: Budgets) -> None:
        self.root = _root_of(folder)
        self._budgets = budgets

    def members(self) -> tuple[Member, ...]:
        """Return every plain file below, by name."""
        try:
            found = sorted(self._files())
        except RecursionError as error:
            raise ArchiveError("the folder is nested too deeply") from error
        return tuple(self._member(name) for name in found)

    def walk(self, wanted: Wanted = everything) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Yield the wanted files by name."""
        for member in self.members():
            if wanted(member.name):
                yield member, self._content(member)

    def _files(self) -> Iterator[str]:
        count = 0
        for where, _, files in os.walk(self.root, onerror=_raise):
            for file in files:
                count += 1
                if count > self._budgets.members:
                    raise ArchiveError(f"the folder holds more than {self._budgets.members:,} files")
                yield (Path(where) / file).relative_to(self.root).as_posix()

    def _member(self, name: str) -> Member:
        clean_name(name)
        try:
            status = (self.root / name).stat()
        except OSError as error:
            raise refused(name, f"cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(status.st_mode):
            raise refused(name, "is a device, a pipe or a socket")
        return Member(name=name, size=status.st_size)

    def _content(self, member: Member) -> Iterator[bytes]:
        try:
            with (self.root / member.name).open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise refused(member.name, f"cannot be read: {error.strerror}") from error


def _raise(error: OSError) -> None:
    raise UnreadableInputError(f'cannot read "{error.filename}": {error.strerror}') from error


def _root_of(folder: Path) -> Path:
    try:
        inside = list(folder.iterdir())
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{folder}": {error.strerror}') from error
    if len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink() and not inside[0].name.endswith("-INF"):
        return inside[0]
    return folder
