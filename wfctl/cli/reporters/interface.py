"""What a reporter gets and gives.

Invariant: a reporter is pure, verdicts in and text for standard output out; it prints nothing and decides no exit code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wfctl.diagnostics.report import Report
from wfctl.errors import WfctlError


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found in one workflow."""

    path: str
    """The workflow, as the user named it."""
    report: Report = field(default_factory=Report)
    error: WfctlError | None = None
    """Why it could not be read at all; then the report is empty."""


class Reporter(Protocol):
    """One form of output."""

    def render(self, verdicts: Sequence[Verdict]) -> str:
        """Return the whole text for standard output, with its last line end, or nothing."""
        ...
