"""Standard input of a command that was given a dash.

Invariant: what cannot be read is a clear error, also where the caller closed it.
"""

import sys
from pathlib import Path

from wfctl.archive.read_sources import SPEC_NAMES, find_handler, sources_of
from wfctl.check.model import Sources
from wfctl.errors import UnreadableInputError
from wfctl.spec.text import MAX_BYTES

STDIN = Path("-")
STDIN_NAME = "<stdin>"
"""What messages call it."""


def read_stdin_sources(handler: Path | None) -> Sources:
    """Read a spec from standard input as if it lay in the current folder."""
    return sources_of(read_stdin(MAX_BYTES + 1), STDIN_NAME, handler or find_handler(Path(SPEC_NAMES[0])))


def read_stdin(limit: int = -1) -> bytes:
    """Return at most ``limit`` bytes of standard input, all of it without one."""
    # Python gives no stream for a descriptor that was closed before the start.
    if sys.stdin is None:
        raise UnreadableInputError("standard input is closed", hint="name a file, or pipe something in")
    try:
        return sys.stdin.buffer.read(limit)
    except OSError as error:
        raise UnreadableInputError(f"cannot read standard input: {error.strerror}") from error
