"""What a path is, and which archives a store holds.

Invariant: names and tables of contents only.
"""

import os
from pathlib import Path

from wfctl.archive.manifest import MAR_MANIFEST, WAR_MANIFEST
from wfctl.archive.read_sources import find_spec, is_unpacked
from wfctl.archive.unpack import open_archive
from wfctl.compat.model import Kind
from wfctl.errors import ArchiveError, UnreadableInputError

_ENDINGS = (".war", ".mar", ".tar.gz")
_SPECS = (".yaml", ".yml")
_MANIFESTS = (WAR_MANIFEST, MAR_MANIFEST)


def kind_of(path: Path) -> Kind:
    """Tell a spec, a workflow's archive and a model's apart; raise where it is none of them, or not there."""
    # Not the methods of Path, which raise for a name that is too long for the disk.
    if not os.path.exists(path):  # noqa: PTH110
        raise UnreadableInputError(f'there is no file "{path}"')
    if path.name.endswith(_SPECS) or (os.path.isdir(path) and not is_unpacked(path, _MANIFESTS)):  # noqa: PTH112
        return Kind.SPEC
    with open_archive(path) as archive:
        names = archive.names()
    if WAR_MANIFEST in names:
        return Kind.WORKFLOW
    if MAR_MANIFEST in names or path.name.endswith(".mar"):
        return Kind.MODEL
    raise ArchiveError(f'"{path.name}" has neither {WAR_MANIFEST} nor {MAR_MANIFEST}')


def expanded(path: Path) -> list[Path]:
    """Return the archives of a store, in the order of their names; anything else as it is.

    A folder is a store if it holds a ``.war``, or archives and no workflow of its own. Empty where a folder holds
    nothing at all that could be judged.
    """
    if not os.path.isdir(path) or is_unpacked(path, _MANIFESTS):  # noqa: PTH112
        return [path]
    found = _archives_in(path)
    if _has_spec(path) and not any(each.name.endswith(".war") for each in found):
        return [path]
    return found


def _archives_in(folder: Path) -> list[Path]:
    try:
        entries = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{folder}": {error.strerror}') from error
    return [
        each for each in entries if (is_unpacked(each, _MANIFESTS) if each.is_dir() else each.name.endswith(_ENDINGS))
    ]


def _has_spec(folder: Path) -> bool:
    try:
        find_spec(folder)
    except UnreadableInputError:
        return False
    return True
