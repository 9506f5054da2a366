"""A socket in the file system that a server listens at.

Invariant: what lies at its path is removed only if nobody listens there, and at the end only if it is still ours.
"""

import errno
import os
import socket
import stat
from contextlib import suppress


class UnixSocket:
    """One that listens; raises ``OSError`` where it cannot."""

    def __init__(self, path: str, backlog: int) -> None:
        self._path = path
        clear_stale(path)
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.settimeout(0)
            self.socket.bind(path)
            self.socket.listen(backlog)  # at once: to others who start, one that does not listen is a dead one
            self._id = _id_of(path)
        except BaseException:
            self.socket.close()
            raise

    def remove(self) -> None:
        """Take it out of the file system, while it is open: only then is its number nobody else's."""
        with suppress(OSError):
            if _id_of(self._path) == self._id:
                os.unlink(self._path)  # noqa: PTH108 - beside its neighbours


def clear_stale(path: str) -> None:
    """Remove a socket that a server left behind that was killed; one that answers, or any other file, stays.

    Raises ``OSError`` if something listens there.
    """
    try:
        before = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(before.st_mode):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)  # who has a full queue answers too, but not soon
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            if _id_of(path) == (before.st_dev, before.st_ino):
                os.unlink(path)  # noqa: PTH108 - beside its neighbours
            return
        except FileNotFoundError:
            return
        except OSError:  # of another kind, or there is no room, or it is not for us
            pass
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _id_of(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
