"""What every container offers: its members in order, each with its bytes.

Invariant: a reader has judged the name and the kind of a member before it is seen here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file or folder inside an archive."""

    name: str
    size: int
    """Bytes unpacked; 0 for a folder."""
    is_folder: bool = False


Wanted = Callable[[str], bool]


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
