"""What files looked like at a moment: their times of change and their sizes.

Invariant: a file that was changed after the moment that counts looks changed for ever after.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

Stamp = tuple[tuple[str, int, int], ...]
"""Files with their times of change, nanoseconds since the epoch, and their sizes."""
_TOO_NEW = -1
_MOST_FILES = 2_000
_MOST_FOLDERS = 2_000
"""Looked into, of those below one folder: a handler may lie in somebody's home."""


def stamp_of(paths: Iterable[Path], *, read_from_ns: int | None = None) -> Stamp:
    """Return the stamp of files, and of all files below folders.

    What was changed since ``read_from_ns`` may have been read before or after that, so it counts as changed.
    """
    found = sorted(each for path in paths for each in _stamps(path))
    if read_from_ns is None:
        return tuple(found)
    return tuple((name, _TOO_NEW if changed >= read_from_ns else changed, size) for name, changed, size in found)


def python_files(folder: Path) -> tuple[Path, ...]:
    """Return the Python files in a folder and below it, sorted; of very many those that lie nearest.

    Links to folders are not followed, and what is hidden is left out (environments, histories): no module is there.
    """
    found: list[Path] = []
    folders = [folder]
    for each in folders:  # grows meanwhile: those of one depth stand before those below them
        files, inner = _python_in(each)
        found += files
        folders += inner[: _MOST_FOLDERS - len(folders)]
        if len(found) >= _MOST_FILES:
            break
    return tuple(sorted(found[:_MOST_FILES]))


def _python_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the Python files of one folder, and the folders in it; of one that cannot be read, none."""
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "__pycache__" and not entry.name.startswith("."):
                        folders.append(folder / entry.name)
                elif entry.name.endswith(".py"):
                    files.append(folder / entry.name)
    except OSError:
        return [], []
    return files, folders


def _stamps(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield a file, or every file below a folder; what is gone meanwhile is seen by its absence."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            if os.path.basename(folder) != "__pycache__":  # noqa: PTH119 - a name of ``os.walk``
                for name in names:
                    yield from _stamps(Path(folder, name))
        return
    try:
        found = path.stat()
    except OSError:
        return
    yield str(path), found.st_mtime_ns, found.st_size
