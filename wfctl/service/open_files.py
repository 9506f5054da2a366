"""The number of files that this process may have open: a connection is one, and so is a worker's end."""

import resource


def raise_open_files() -> int:
    """Raise the limit as far as it goes without being root, and return it."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if least != most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        except (OSError, ValueError):
            return least
    return most
