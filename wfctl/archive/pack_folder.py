"""A plan becomes a folder: a model that is not packed at all, laid out as its archive would be.

Invariant: the folder appears whole or not at all, and only a model's folder is ever replaced.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wfctl.archive.manifest import MAR_MANIFEST
from wfctl.archive.pack import content_of
from wfctl.archive.plan import ArchivePlan
from wfctl.errors import ArchiveError


def write_folder(target: Path, plan: ArchivePlan, *, overwrite: bool = False) -> None:
    """Write the members of ``plan`` below ``target``; with ``overwrite`` in place of a model's folder that is there."""
    if os.path.lexists(target):
        _refuse(target, overwrite=overwrite)
    with _beside(target) as draft:
        for member in plan.members:
            path = draft / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as sink:
                for chunk in content_of(member):
                    sink.write(chunk)


def _refuse(target: Path, *, overwrite: bool) -> None:
    if not overwrite:
        raise ArchiveError(f'"{target}" already exists', hint="overwrite it with --force/-f")
    if target.is_symlink() or not (target / MAR_MANIFEST).is_file():
        raise ArchiveError(
            f'"{target}" is not the folder of a model, and is not replaced', hint="remove it, or choose another name"
        )


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Make a hidden folder that becomes ``target`` if the block ends well, and vanishes if not."""
    mark = f".{target.name[:32]}.{secrets.token_hex(6)}"
    draft, old = target.with_name(f"{mark}.part"), target.with_name(f"{mark}.old")
    try:
        # Plain mkdir, not mkdtemp: the folder gets the mode that the user's umask gives any new one.
        draft.mkdir()
        yield draft
        if target.exists():
            target.rename(old)
        draft.rename(target)
    except OSError as error:
        raise ArchiveError(f'cannot write "{target}": {error.strerror or error}') from error
    finally:
        # Also after an interrupt between the two: what was there comes back before anything is deleted.
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
