"""Holding a file: by a lock that the kernel lets go of however the process ends."""

import sys


def is_held_now(descriptor: int) -> bool:
    """Lock an open file for as long as it is open here, and say whether nobody else held it; waits for nobody."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def hold(descriptor: int, *, with_others: bool) -> None:
    """Lock an open file for as long as it is open here: ``with_others`` who do so too, or alone.

    Waits for those who hold it in the other way. What was held before is let go of first. Does nothing on Windows.
    """
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_SH if with_others else fcntl.LOCK_EX)
