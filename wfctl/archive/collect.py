"""Which files of a folder go into an archive.

Invariant: only plain files, found in one order; a link is followed only where it stays inside the folder.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from wfctl.archive.names import shortened
from wfctl.archive.plan import PlannedMember
from wfctl.errors import ArchiveError, UnreadableInputError

_CACHES: Final = frozenset({"__pycache__", "node_modules"})
_VIRTUAL_ENVIRONMENT: Final = "pyvenv.cfg"
_LEFTOVERS: Final = (".pyc", ".pyo", "~")
_DEEPEST: Final = 200


def planned_file(path: Path, name: str) -> PlannedMember:
    """Make the file at ``path`` a member called ``name``."""
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{path}": {error.strerror or error}') from error
    if not path.is_file():
        raise UnreadableInputError(f'"{path}" is no plain file')
    return PlannedMember(name=name, source=path, size=status.st_size)


def is_litter(path: Path) -> bool:
    """Whether a file or folder is no part of what its folder is for: hidden, a cache, a virtual environment."""
    name = path.name
    return (
        name.startswith(".") or name in _CACHES or name.endswith(_LEFTOVERS) or (path / _VIRTUAL_ENVIRONMENT).is_file()
    )


def files_below(
    folder: Path,
    *,
    prefix: str = "",
    leave_out: Callable[[Path], bool] = lambda _: False,
    is_litter: Callable[[Path], bool] = is_litter,
) -> Iterator[PlannedMember]:
    """Yield the files below ``folder`` as members called ``prefix`` and their path.

    What ``is_litter`` and ``leave_out`` say (asked for files and folders) stays outside.
    """
    root = folder.resolve()
    for path in _walk(folder, lambda path: is_litter(path) or leave_out(path)):
        _refuse_way_out(path, root)
        yield planned_file(path, prefix + path.relative_to(folder).as_posix())


def _walk(folder: Path, leave_out: Callable[[Path], bool], depth: int = 0) -> Iterator[Path]:
    if depth > _DEEPEST:
        raise ArchiveError(f'"{shortened(str(folder))}" is nested too deeply')
    for path in sorted(_inside(folder)):
        if leave_out(path):
            continue
        if not path.is_dir():
            yield path
        elif path.is_symlink():
            raise ArchiveError(f'"{path}" is a link to a folder', hint="copy the folder there")
        else:
            yield from _walk(path, leave_out, depth + 1)


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{folder}": {error.strerror or error}') from error


def _refuse_way_out(path: Path, root: Path) -> None:
    if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
        raise ArchiveError(
            f'"{path}" is a link to "{os.readlink(path)}", outside the folder',  # noqa: PTH115 - as it is written
            hint="copy the file there, or name the link itself as an extra file",
        )
