"""Where what was fetched lies: a private file while it comes, then a file named by its digest.

Invariant: a file of somebody else is never overwritten; what a killed process left half done is cleared away by the
next one that comes by.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from wfctl.errors import NotKeptError, UnreadableInputError
from wfctl.file_lock import is_held_now
from wfctl.plain_file import only_plain
from wfctl.store.digest import sha256_of

_PREFIX: Final = ".partial-"
_YOUNG_S: Final = 60.0
"""A file this new may not be locked yet."""


class Partial:
    """A file that only this user may read, until it is kept."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path = path
        self._stream = stream

    def write(self, chunk: bytes) -> None:
        """Add bytes at the end."""
        with _kept_in(self._path.parent):
            self._stream.write(chunk)

    def keep_as(self, name: str) -> Path:
        """Give the file its name, which says what is in it."""
        target = self._path.parent / name
        with _kept_in(self._path.parent):
            self._stream.flush()
            self._path.rename(target)
        return target


@contextmanager
def partial_file(folder: Path) -> Iterator[Partial]:
    """Offer a new private file in ``folder``, which is made if need be; it is gone at the end unless it was kept."""
    with _kept_in(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear_left_behind(folder)
        descriptor, name = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            is_held_now(descriptor)
            yield Partial(path, stream)
    finally:
        # After a rename there is nothing of that name any more.
        with suppress(OSError):
            path.unlink()


def kept(folder: Path | None, sha256: str, ending: str) -> Path | None:
    """Return the file of that digest, if it is there and whole."""
    if folder is None:
        return None
    path = folder / f"{sha256}{ending}"
    with suppress(OSError, UnreadableInputError):
        if not path.is_symlink() and sha256_of(path) == sha256:
            return path
    return None


def _clear_left_behind(folder: Path) -> None:
    newest = time.time() - _YOUNG_S
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError), open(path, "rb", opener=only_plain) as stream:
            if os.fstat(stream.fileno()).st_mtime < newest and is_held_now(stream.fileno()):
                path.unlink()


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Say where there is no room or no permission."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NotKeptError(
            f'what is fetched cannot be kept in "{folder}": {reason}',
            hint="WFCTL_CACHE names another folder for what is pinned, and TMPDIR for the rest",
        ) from error
