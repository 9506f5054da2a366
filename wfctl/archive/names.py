"""Which member names are taken, and which sets of names fit into one folder on any machine.

Invariant: pure; a name that passed here can be joined to a folder without leaving it.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from wfctl.errors import ArchiveError

_DRIVE: Final = re.compile(r"[A-Za-z]:")
_LONGEST_PART: Final = 255
_LONGEST_NAME: Final = 1024
_SHOWN: Final = 60
_FIT_FOR_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-.]*")


def is_archive_name(name: str) -> bool:
    """Whether the original archivers take ``name`` for a model or a workflow, whose archive is called so too."""
    return _FIT_FOR_FILE.fullmatch(name) is not None


def clean_name(raw: str) -> str:
    """Return ``raw`` as a relative path with forward slashes; raise ``ArchiveError`` for a name that may not be.

    The result is empty where ``raw`` means the root itself (``./``).
    """
    fault = _fault_of_whole(raw)
    if fault:
        raise refused(raw, fault)
    parts = [part for part in raw.split("/") if part not in {"", "."}]
    for part in parts:
        fault = _fault_of_part(part)
        if fault:
            raise refused(raw, fault)
    return "/".join(parts)


def refused(name: str, fault: str) -> ArchiveError:
    """Make the error that names a member and its fault."""
    return ArchiveError(f'member "{shortened(name)}" {fault}', member=name)


def shortened(name: str) -> str:
    """Return ``name`` cut for a message."""
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}... ({len(name)} characters)"


def _fault_of_whole(raw: str) -> str | None:
    if not raw:
        return "has no name"
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in raw):
        return "has a control character in its name"
    if "\\" in raw:
        return "has a backslash in its name"
    if raw.startswith("/") or _DRIVE.match(raw):
        return "has an absolute path"
    if len(raw.encode()) > _LONGEST_NAME:
        return "has a name that is too long"
    return None


def _fault_of_part(part: str) -> str | None:
    if part == "..":
        return "leads out of the archive"
    if part.endswith((".", " ")):
        return "ends in a dot or a space, which some systems drop"
    if len(part.encode()) > _LONGEST_PART:
        return "has a name that is too long"
    return None


def _key(name: str) -> str:
    """Return what file systems that ignore case or Unicode form see of ``name``."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


@dataclass(slots=True)
class NameSet:
    """The names of one archive so far; ``add`` refuses what would collide on some file system."""

    _spelled: dict[str, str] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)
    _taken: set[str] = field(default_factory=set)

    def add(self, name: str, *, is_folder: bool = False) -> None:
        """Take ``name``; raise ``ArchiveError`` if it, or a name that differs only in spelling, is taken."""
        parts = name.split("/")
        for end in range(1, len(parts)):
            self._add_folder("/".join(parts[:end]), of=name)
        if is_folder:
            self._add_folder(name, of=name)
        elif name in self._folders:
            raise refused(name, "is both a file and a folder")
        else:
            self._spell(name, of=name, twice="stands twice")

    def _add_folder(self, folder: str, *, of: str) -> None:
        if folder in self._folders:
            return
        self._spell(folder, of=of, twice=f'needs a folder "{shortened(folder)}" where a file is')
        self._folders.add(folder)

    def _spell(self, name: str, *, of: str, twice: str) -> None:
        other = self._spelled.setdefault(_key(name), name)
        if other != name:
            raise refused(of, f'and "{shortened(other)}" differ only in case or Unicode form')
        if name in self._taken:
            raise refused(of, twice)
        self._taken.add(name)
