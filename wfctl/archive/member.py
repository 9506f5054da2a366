"""What every container offers: its members in order, each with its bytes.

Invariant: a reader has judged the name and the kind of a member before it is seen here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from wfctl.errors import ArchiveError

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file or folder inside an archive."""

    name: str
    size: int
    """Bytes unpacked; 0 for a folder."""
    is_folder: bool = False


Wanted = Callable[[str], bool]
ReadMember = Callable[[str, int], bytes | None]
"""Gives the content of a member of at most so many bytes; ``None`` where it is not there."""


def everything(_name: str) -> bool:
    """Want every member."""
    return True


class Reader(Protocol):
    """A container that is open."""

    def members(self) -> tuple[Member, ...]:
        """Return every member; the content need not have been read."""
        ...

    def walk(self, wanted: Wanted = everything) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Yield the wanted files and folders with their bytes, which are gone once the next member is asked for."""
        ...


def read_from(reader: Reader, name: str, limit: int) -> bytes | None:
    """Return the content of one file, or ``None`` if there is none; refuse more than ``limit`` bytes."""
    for member, content in reader.walk(lambda candidate: candidate == name):
        if member.is_folder:
            continue
        if member.size > limit:
            raise ArchiveError(
                f'member "{name}" is {member.size:,} bytes long; at most {limit:,} are read', member=name
            )
        return b"".join(content)
    return None
