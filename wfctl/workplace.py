"""The private temporary folder of one process, and the clearing away of those whose owner was killed.

A folder is held by a lock on a file in it for as long as its process lives; the kernel lets go of the lock however
the process ends. Invariant: only folders of this user that nobody holds are removed.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from wfctl.file_lock import is_held_now

PREFIX = "wfctl-"
"""What names of such folders begin with."""
LOCK = ".held"
"""The file in each that its processes hold."""
_YOUNG_S = 60.0
"""A folder this new may not be locked yet."""


class Workplace:
    """A folder that goes with its process; made by ``open_workplace``."""

    def __init__(self, folder: Path, held: int = -1) -> None:
        """Make one of a folder, and of the lock by which it is held here; others may hold it otherwise."""
        self.folder = folder
        self._held = held

    def remove(self) -> None:
        """Delete the folder; harmless if that was done already."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._held >= 0:
            os.close(self._held)
            self._held = -1


def open_workplace() -> Workplace:
    """Make a private folder below the system's temporary folder, and remove those that were left behind there."""
    clear_left_behind(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    held = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    is_held_now(held)
    return Workplace(folder, held)


def clear_left_behind(below: Path, *, young_s: float = _YOUNG_S) -> None:
    """Remove the folders of deployments that are no more."""
    for folder in _candidates(below, young_s):
        try:
            lock = os.open(folder / LOCK, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            continue  # not one of ours, or just going
        try:
            if is_held_now(lock):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _candidates(below: Path, young_s: float) -> Iterator[Path]:
    newest = time.time() - young_s
    for folder in below.glob(f"{PREFIX}*"):
        try:
            found = folder.lstat()
        except OSError:
            continue
        if not folder.is_symlink() and found.st_uid == _user() and found.st_mtime <= newest:
            yield folder


def _user() -> int:
    return os.getuid() if sys.platform != "win32" else 0
