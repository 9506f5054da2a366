"""The exceptions of wfctl: what went wrong, whose fault it is, and how to mend it.

Invariant: no input or output, no HTTP status, no exit code; the shells (cli, web) map ``blame`` and ``code``.
An exception here means "cannot go on"; findings about a user's input are data (``wfctl.diagnostics``).
"""

from enum import StrEnum
from typing import ClassVar


class Blame(StrEnum):
    """Whose fault a failure is; decides the exit status and the HTTP status."""

    USER = "user"
    ARCHIVE = "archive"
    HANDLER = "handler"
    SYSTEM = "system"
    BUG = "bug"


class WfctlError(Exception):
    """Anything wfctl refuses or fails to do, with a hint how to mend it."""

    code: ClassVar[str] = "error"
    """Stable kebab-case name of the kind of failure."""
    blame: ClassVar[Blame] = Blame.USER

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UnreadableInputError(WfctlError):
    """A file named by the user is missing, is a folder, or may not be read."""

    code = "unreadable-input"


class ArchiveError(WfctlError):
    """An archive is refused: hostile, damaged, or not what its name says."""

    code = "bad-archive"
    blame = Blame.ARCHIVE

    def __init__(self, message: str, *, member: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.member = member
        """Name of the offending member, as it stands in the archive."""


class NoRoomError(ArchiveError):
    """What is in an archive cannot be written to this disk: it is full, or takes nothing."""

    code = "no-room"
    blame = Blame.SYSTEM


class StoreError(WfctlError):
    """A model or a workflow is not where it was looked for, or may not be fetched."""

    code = "not-in-store"


class FetchError(StoreError):
    """Something may not be fetched, or could not be."""

    code = "not-fetched"


class NotAllowedError(FetchError):
    """Nobody allowed to fetch from there."""

    code = "not-allowed"


class NotKeptError(FetchError):
    """Something was fetched and cannot be written to this disk: it is full, or takes nothing."""

    code = "no-room"
    blame = Blame.SYSTEM


class UntrustedError(StoreError):
    """Something was fetched that nothing vouches for, and is not run."""

    code = "not-trusted"


class UnsupportedError(WfctlError):
    """The request is understood, and not possible here (platform, mode, missing extra)."""

    code = "unsupported"


class LoadError(WfctlError):
    """A node's code or weights failed to load in its worker."""

    code = "load-failed"
    blame = Blame.HANDLER

    def __init__(self, message: str, *, node: str, traceback_text: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.node = node
        self.traceback_text = traceback_text


class WorkerError(WfctlError):
    """A worker process could not be started, or is lost."""

    code = "worker-lost"
    blame = Blame.SYSTEM


class StartTimeoutError(WorkerError):
    """A worker was not ready in time."""

    def __init__(self, message: str, *, node: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.node = node


class RunError(WfctlError):
    """A node failed for good, and with it the run.

    ``message`` is what a remote client may read; ``str()`` adds node, attempts and the exception for local eyes.
    ``status`` is the HTTP status that the node's failure stands for (a handler's own 4xx is kept).
    """

    code = "node-failed"
    blame = Blame.HANDLER

    def __init__(
        self,
        message: str,
        *,
        node: str,
        attempts: int,
        status: int = 500,
        traceback_text: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.node = node
        self.attempts = attempts
        self.status = status
        self.traceback_text = traceback_text

    def __str__(self) -> str:
        times = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return f'node "{self.node}" failed after {times}: {self.message}{self._cause()}'

    def _cause(self) -> str:
        raised = _raised_in(self.traceback_text or "")
        return "" if not raised or self.message in raised else f" ({raised})"


_IN_A_GROUP = "  | "
_FRAME = '  File "'


def _raised_in(text: str) -> str:
    """Return the line of a traceback that says what was raised: the first behind its last frame, advice may follow."""
    lines = [line.removeprefix(_IN_A_GROUP) for line in text.splitlines()]
    begin = max((at for at, line in enumerate(lines) if line.startswith(_FRAME)), default=-1) + 1
    return next((line.strip() for line in lines[begin:] if line.strip() and not line.startswith(" ")), "")


class BadInputError(RunError):
    """An input is not what it was said to be, and no handler has seen it; ``message`` says what is wrong with it."""

    code = "bad-input"
    blame = Blame.USER


class DeadlineExceededError(RunError):
    """A node used up ``timeout-ms`` in each of its attempts."""

    code = "deadline-exceeded"

    def __init__(
        self,
        message: str,
        *,
        node: str,
        attempts: int,
        status: int = 504,
        hint: str | None = None,
        was_waiting: bool = False,
    ) -> None:
        super().__init__(message, node=node, attempts=attempts, status=status, hint=hint)
        self.was_waiting = was_waiting
        """Whether the last attempt waited for a worker all or most of its time: no verdict on the input, then."""

    def __str__(self) -> str:
        return self.message


class UnloadableError(RunError):
    """A node's code loads no more, in any of its workers: no verdict on the input that was on its way there."""

    code = "node-unloadable"


class OverloadedError(WfctlError):
    """A queue is full and the run is refused before any work was done."""

    code = "overloaded"
    blame = Blame.SYSTEM

    def __init__(self, message: str, *, hint: str | None = None, retry_after_s: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s
        """When it is worth another try: what waits will have been worked off by then."""


class InternalError(WfctlError):
    """A promise of our own code does not hold."""

    code = "internal"
    blame = Blame.BUG
