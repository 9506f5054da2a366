"""What files looked like at a moment: their times of change and their sizes.

Invariant: a file that was changed after the moment that counts looks changed for ever after.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

Stamp = tuple[tuple[str, int, int], ...]
"""Files with their times of change, nanoseconds since the epoch, and their sizes."""
_TOO_NEW = -1


def stamp_of(paths: Iterable[Path], *, read_from_ns: int | None = None) -> Stamp:
    """Return the stamp of files, and of all files below folders.

    What was changed since ``read_from_ns`` may have been read before or after that, so it counts as changed.
    """
    found = sorted(each for path in paths for each in _stamps(path))
    if read_from_ns is None:
        return tuple(found)
    return tuple((name, _TOO_NEW if changed >= read_from_ns else changed, size) for name, changed, size in found)


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
