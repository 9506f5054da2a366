"""Folders that came to this machine from elsewhere: one for all processes that want the same, kept while one lives.

Invariant: a folder that is seen is whole; no Ray in here.
"""

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Final

from wfctl.errors import UnsupportedError
from wfctl.file_lock import hold
from wfctl.workplace import LOCK, PREFIX, clear_left_behind

_WHOLE: Final = "whole"
_PART: Final = "part"
_KEPT: Final[list[int]] = []
"""Descriptors of locks that this process holds to its end."""


def landed(digest: str, fill: Callable[[Path], None]) -> Path:
    """Return a folder with what ``fill`` puts into the one that it is given, which happens once on a machine.

    ``digest`` names the content. The folder stays for as long as this process lives. Raises what ``fill`` raises, and
    ``UnsupportedError`` where the temporary folder holds somebody else's folder of that name.
    """
    clear_left_behind(Path(tempfile.gettempdir()))
    folder = Path(tempfile.gettempdir()) / f"{PREFIX}{digest}"
    while True:
        lock = _opened(folder)
        if lock is None:
            continue  # it was just cleared away
        try:
            hold(lock, with_others=True)
            if _is_same(lock, folder) and (folder / _WHOLE).is_dir():
                _KEPT.append(os.dup(lock))
                return folder / _WHOLE
            hold(lock, with_others=False)
            if _is_same(lock, folder) and not (folder / _WHOLE).is_dir():
                _fill(folder, fill)
        finally:
            os.close(lock)


def _opened(folder: Path) -> int | None:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    with suppress(FileNotFoundError):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise UnsupportedError(f'"{folder}" is not a folder of this user alone', hint="remove it, or set TMPDIR")
        return os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    return None


def _is_same(lock: int, folder: Path) -> bool:
    """Whether the lock is still that of the folder, which may have been cleared away and made anew since."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(lock), (folder / LOCK).lstat())
    return False


def _fill(folder: Path, fill: Callable[[Path], None]) -> None:
    part = folder / _PART
    rmtree(part, ignore_errors=True)  # of one who was killed
    part.mkdir()
    fill(part)
    part.rename(folder / _WHOLE)
