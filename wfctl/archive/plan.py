"""What goes into an archive, before anything is written.

Invariant: pure; the same members and manifest give the same plan in any order of arrival.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wfctl.archive.manifest import (
    MAR_MANIFEST,
    WAR_MANIFEST,
    MarManifest,
    WarManifest,
    format_mar_manifest,
    format_war_manifest,
)
from wfctl.archive.names import NameSet, clean_name, shortened
from wfctl.errors import ArchiveError


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMember:
    """One file to pack."""

    name: str
    """Path inside the archive."""
    source: Path | bytes
    """A file on disk, or the bytes themselves."""
    size: int


@dataclass(frozen=True, slots=True)
class ArchivePlan:
    """Every member in the order of writing, the manifest among them."""

    members: tuple[PlannedMember, ...]

    @property
    def size(self) -> int:
        """Bytes of all members together."""
        return sum(member.size for member in self.members)


def from_bytes(name: str, content: bytes) -> PlannedMember:
    """Make a member of bytes at hand."""
    return PlannedMember(name=name, source=content, size=len(content))


def plan_war(manifest: WarManifest, members: Iterable[PlannedMember]) -> ArchivePlan:
    """Plan a workflow archive; ``members`` hold the spec and the handler that the manifest names."""
    return _plan(from_bytes(WAR_MANIFEST, format_war_manifest(manifest)), members)


def plan_mar(manifest: MarManifest, members: Iterable[PlannedMember]) -> ArchivePlan:
    """Plan a model archive."""
    return _plan(from_bytes(MAR_MANIFEST, format_mar_manifest(manifest)), members)


def _plan(manifest: PlannedMember, members: Iterable[PlannedMember]) -> ArchivePlan:
    ordered = sorted([manifest, *members], key=lambda member: member.name)
    names = NameSet()
    sources: dict[str, PlannedMember] = {}
    for member in ordered:
        if clean_name(member.name) != member.name:
            raise ArchiveError(f'"{shortened(member.name)}" is no name for a member', member=member.name)
        twin = sources.get(member.name)
        if twin is None:
            names.add(member.name)
            sources[member.name] = member
        elif twin.source != member.source or isinstance(member.source, bytes):
            raise _two_of_a_name(twin, member)
    return ArchivePlan(tuple(sources.values()))


def _two_of_a_name(first: PlannedMember, second: PlannedMember) -> ArchiveError:
    return ArchiveError(
        f'two files would both be "{first.name}" in the archive: {_origin(first)} and {_origin(second)}',
        member=first.name,
        hint="rename one of them, or put it into a folder and pack the folder",
    )


def _origin(member: PlannedMember) -> str:
    return f'"{member.source}"' if isinstance(member.source, Path) else "the one that wfctl writes"
