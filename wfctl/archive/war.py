"""A workflow becomes a plan for a ``.war``: which files, under which names, with which manifest.

Invariant: the texts that are packed are those that were read and checked, not those on the disk a moment later.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from wfctl.archive.collect import files_below, planned_file
from wfctl.archive.embed import Embedded, embed
from wfctl.archive.manifest import MAR_MANIFEST, UNDATED, WAR_MANIFEST, WarManifest
from wfctl.archive.plan import ArchivePlan, PlannedMember, from_bytes, plan_war
from wfctl.archive.read_sources import ReadSources
from wfctl.diagnostics.model import SourceText
from wfctl.errors import ArchiveError

# They lie in a store and not in the archive, unless they are embedded.
_ARCHIVES: Final = (".war", ".mar")


def plan_workflow(
    read: ReadSources,
    *,
    name: str | None = None,
    extra: Iterable[PlannedMember] = (),
    embedded: Iterable[Embedded] = (),
    created_on: str = UNDATED,
) -> ArchivePlan:
    """Plan the archive of a workflow that was read; ``name`` beats the one it has."""
    models = tuple(embedded)
    spec = embed(read.sources.spec, models)
    handler = read.sources.handler
    manifest = WarManifest(
        workflow_name=name or read.name,
        spec_file=_base(read.sources.spec),
        handler=None if handler is None else _base(handler),
        created_on=created_on,
        description=read.manifest.description if read.manifest else None,
    )
    own = [from_bytes(manifest.spec_file, spec.encode())]
    if handler is not None and manifest.handler is not None:
        own.append(from_bytes(manifest.handler, handler.text.encode()))
    members = {model.member: planned_file(model.path, model.member) for model in _different(models)}
    return plan_war(manifest, [*own, *members.values(), *extra])


def extra_members(paths: Iterable[Path]) -> Iterator[PlannedMember]:
    """Yield files by their base names, and the files of folders below the folder's name."""
    for path in paths:
        if path.is_dir():
            yield from files_below(path, prefix=f"{path.absolute().name}/")
        else:
            yield planned_file(path, path.name)


def folder_members(folder: Path, *, but: Iterable[Path], patterns: Sequence[str] = ()) -> Iterator[PlannedMember]:
    """Yield everything in a workflow's folder that belongs to it: no archives, no models, nothing of ``but``.

    ``patterns`` are compared with the path below the folder and with the name alone.
    """
    # Not Path.resolve, which raises for links that go in circles.
    excluded = {os.path.realpath(path) for path in but}

    def leave_out(path: Path) -> bool:
        below = path.relative_to(folder).as_posix()
        if any(fnmatchcase(text, pattern.rstrip("/")) for pattern in patterns for text in (below, path.name)):
            return True
        if path.is_dir():
            return path.name == Path(WAR_MANIFEST).parent.name or (path / MAR_MANIFEST).is_file()
        return path.suffix in _ARCHIVES or os.path.realpath(path) in excluded

    yield from files_below(folder, leave_out=leave_out)


def created_on(epoch_s: int | None) -> str:
    """Write a time as the original does, in UTC; without one, the day that stands for no day."""
    if epoch_s is None:
        return UNDATED
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%d/%m/%Y %H:%M:%S")


def _base(source: SourceText) -> str:
    return Path(source.name).name


def _different(models: Iterable[Embedded]) -> Iterator[Embedded]:
    """Yield each file once; two nodes may share a model, but not two models one name."""
    taken: dict[str, Path] = {}
    for model in models:
        other = taken.setdefault(model.member, model.path)
        if other != model.path:
            raise ArchiveError(
                f'two models would both be "{model.member}" in the archive: "{other}" and "{model.path}"',
                member=model.member,
                hint="rename one of them",
            )
        if other is model.path:
            yield model
