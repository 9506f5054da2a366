"""Folders as lists of files and one stream of their bytes: how code and models travel to other machines.

Invariant: what arrives has the digest of what was sent, or does not arrive; no Ray in here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from wfctl.archive.collect import files_below
from wfctl.archive.plan import PlannedMember
from wfctl.archive.war import folder_members
from wfctl.errors import ArchiveError, UnsupportedError
from wfctl.plan import CodeUnit

PIECE: Final = 16 * 2**20
"""Bytes that travel at a time."""
_MOST_OWN: Final = 512 * 2**20
"""Bytes of a user's own folder, which may hold anything; unpacked archives may have any size."""


class Entry(NamedTuple):
    """One file."""

    name: str
    """Path below the folder."""
    size: int
    mode: int


class Parcel(NamedTuple):
    """One folder, ready to travel."""

    digest: str
    """SHA-256 of names, sizes, modes and bytes, in hex digits."""
    entries: tuple[Entry, ...]
    pieces: Sequence[Any]
    """What stands for each ``PIECE`` of the stream of all bytes."""


def folders_of(unit: CodeUnit) -> tuple[str, ...]:
    """Return the folders that a node needs."""
    return (unit.model_dir, *unit.import_paths)


def members_of(unit: CodeUnit, number: int) -> list[PlannedMember]:
    """Return the files of one of a node's folders: all that was unpacked, or what belongs to a workflow's own folder.

    Raises ``UnsupportedError`` for a folder that is too large to be sent around, and ``UnreadableInputError``.
    """
    folder = Path(folders_of(unit)[number])
    if number or unit.is_private:
        return list(files_below(folder, is_litter=lambda _: False))
    members, size = [], 0
    for member in folder_members(folder, but=()):
        members.append(member)
        size += member.size
        if size > _MOST_OWN:
            raise UnsupportedError(
                f'the folder "{folder}" of the workflow has more than {_MOST_OWN >> 20} MB to send to other machines',
                hint="pack what it needs with `wfctl archive`, and run the archive",
            )
    return members


def packed(members: Iterable[PlannedMember], put: Callable[[bytes], Any]) -> Parcel:
    """Read files and return them as a parcel; ``put`` is given each piece and returns what stands for it."""
    files = [(Path(str(each.source)), each) for each in members]
    entries = tuple(Entry(each.name, each.size, path.stat().st_mode & 0o777) for path, each in files)
    digest, pieces, held = sha256(repr(entries).encode()), [], bytearray()
    for path, member in files:
        for part in _read(path, member.size):
            digest.update(part)
            held += part
            while len(held) >= PIECE:
                pieces.append(put(bytes(held[:PIECE])))
                del held[:PIECE]
    if held:
        pieces.append(put(bytes(held)))
    return Parcel(digest.hexdigest(), entries, pieces)


def _read(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size:
            part = file.read(min(size, PIECE))
            if not part:
                raise ArchiveError(f'"{path}" became shorter while it was read')
            size -= len(part)
            yield part


def unpack_parcel(parcel: Parcel, pieces: Iterable[bytes], into: Path) -> None:
    """Write the files of a parcel below ``into``; raises ``ArchiveError`` if they are not what was sent."""
    digest, stream = sha256(repr(parcel.entries).encode()), _Stream(pieces)
    for entry in parcel.entries:
        path = into / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for part in stream.take(entry.size):
                digest.update(part)
                file.write(part)
        path.chmod(entry.mode)
    if digest.hexdigest() != parcel.digest:
        raise ArchiveError("files came from another machine other than they were sent")


class _Stream:
    """Bytes that come in pieces, taken in other pieces."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def take(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self._rest:
                piece = next(self._pieces, None)
                if not piece:
                    raise ArchiveError("files came from another machine and broke off")
                self._rest = memoryview(piece)
            part, self._rest = self._rest[:size], self._rest[size:]
            size -= len(part)
            yield part
