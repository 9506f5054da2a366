"""Holding a file: by a lock that the kernel lets go of however the process ends.

Invariant: nobody is waited for.
"""

import sys


def is_held_now(descriptor: int) -> bool:
    """Lock an open file for as long as it is open here, and say whether nobody else held it."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
