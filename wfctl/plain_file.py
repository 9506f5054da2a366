"""Openers for ``open``: a file that a user names may be a pipe or a device, and must not make the caller wait.

Invariant: nothing is read here.
"""

import os
import stat


def without_waiting(path: str, flags: int) -> int:
    """Open ``path`` at once; opening a pipe would otherwise wait for a writer for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def only_plain(path: str, flags: int) -> int:
    """Open ``path`` at once, and raise ``OSError`` if it is no plain file."""
    descriptor = without_waiting(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is no plain file")
    return descriptor
