"""A plan becomes a gzip tar: the form for places that take nothing else, with everything below one folder.

Invariant: as for zips, the target appears whole or not at all and carries no date, owner or mode of this machine.
"""

import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wfctl.archive.pack import beside, content_of, refuse_existing
from wfctl.archive.plan import ArchivePlan, PlannedMember

_EPOCH_S: Final = 315_532_800
"""1 January 1980, as in our zips."""
_LEVEL: Final = 6


def write_tar(target: Path, plan: ArchivePlan, *, folder: str, overwrite: bool = False) -> None:
    """Write ``plan`` to ``target``, every member below ``folder``."""
    refuse_existing(target, overwrite=overwrite)
    with (
        beside(target) as stream,
        # Without a name and a time, which gzip would note down.
        gzip.GzipFile("", "wb", compresslevel=_LEVEL, fileobj=stream, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.GNU_FORMAT) as archive,
    ):
        for member in plan.members:
            archive.addfile(_header(member, folder), _Content(content_of(member)))


def _header(member: PlannedMember, folder: str) -> tarfile.TarInfo:
    header = tarfile.TarInfo(f"{folder}/{member.name}")
    header.size = member.size
    header.mtime = _EPOCH_S
    header.mode = 0o644
    return header


class _Content:
    """The bytes of a member as a file that is read to its end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return so many bytes, fewer only at the end."""
        parts, missing = [], size
        while missing:
            self._rest = self._rest or next(self._chunks, b"")
            if not self._rest:
                break
            part, self._rest = self._rest[:missing], self._rest[missing:]
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)
