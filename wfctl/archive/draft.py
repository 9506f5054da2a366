"""A folder that appears whole or not at all.

Invariant: while it is filled only this user may enter it, and a failure leaves nothing of it.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wfctl.errors import NoRoomError


class Draft:
    """A folder that only this user may enter, made when it is needed."""

    def __init__(self, into: Path) -> None:
        self._into = into
        self.path: Path | None = None

    def create(self) -> Path:
        """Make the folder beside the one it will become."""
        self.path = Path(tempfile.mkdtemp(prefix=f".{self._into.name}.", dir=self._into.parent))
        return self.path


@contextmanager
def private_folder(path: Path, into: Path) -> Iterator[Draft]:
    """Offer a folder that becomes ``into`` if the block ends well, and vanishes if not."""
    draft = Draft(into)
    try:
        yield draft
        if draft.path:
            draft.path.rename(into)
    except OSError as error:
        raise NoRoomError(
            f'cannot unpack "{path.name}" to "{into}": {error.strerror or error}',
            hint="archives are unpacked below TMPDIR: free some room there, or name another folder",
        ) from error
    finally:
        if draft.path:
            shutil.rmtree(draft.path, ignore_errors=True)
