"""Exit codes: the one place where blame becomes a number."""

from enum import IntEnum

from wfctl.errors import Blame, WfctlError


class Exit(IntEnum):
    """What the shell sees."""

    OK = 0
    FINDINGS = 1
    """Findings, or a refused archive or URL."""
    USAGE = 2
    HANDLER = 3
    """A handler or a bulk item failed, deadlines included."""
    SYSTEM = 4
    BUG = 70
    INTERRUPTED = 130


_BY_BLAME = {
    Blame.USER: Exit.FINDINGS,
    Blame.ARCHIVE: Exit.FINDINGS,
    Blame.HANDLER: Exit.HANDLER,
    Blame.SYSTEM: Exit.SYSTEM,
    Blame.BUG: Exit.BUG,
}


def exit_for(error: WfctlError) -> Exit:
    """Return the exit code of an error that ends the command."""
    return _BY_BLAME[error.blame]
