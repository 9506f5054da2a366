"""Standard input of a command that was given a dash.

Invariant: what cannot be read is a clear error, also where the caller closed it.
"""

import sys

from wfctl.errors import UnreadableInputError


def read_stdin(limit: int = -1) -> bytes:
    """Return at most ``limit`` bytes of standard input, all of it without one."""
    # Python gives no stream for a descriptor that was closed before the start.
    if sys.stdin is None:
        raise UnreadableInputError("standard input is closed", hint="name a file, or pipe something in")
    try:
        return sys.stdin.buffer.read(limit)
    except OSError as error:
        raise UnreadableInputError(f"cannot read standard input: {error.strerror}") from error
