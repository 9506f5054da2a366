"""An ordered set of findings, and the exception that carries one.

Invariant: one total order and no duplicates, so that the same input gives the same text on every run.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wfctl.diagnostics.model import Diagnostic, Severity
from wfctl.errors import WfctlError


def _order(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
    span = diagnostic.span
    where = ("", -1, -1) if span is None else (span.source.name, span.start.offset, span.end.offset)
    return (*where, diagnostic.code, diagnostic.message)


@dataclass(frozen=True, slots=True)
class Report:
    """Findings in the order of their places, each once."""

    diagnostics: tuple[Diagnostic, ...] = ()

    @classmethod
    def of(cls, diagnostics: Iterable[Diagnostic]) -> "Report":
        """Sort ``diagnostics`` by place and drop repetitions of one code with one text at one place."""
        unique = {_order(diagnostic): diagnostic for diagnostic in diagnostics}
        return cls(tuple(unique[key] for key in sorted(unique)))

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.diagnostics)

    def __len__(self) -> int:
        return len(self.diagnostics)

    @property
    def worst(self) -> Severity | None:
        """The highest severity found, ``None`` for an empty report."""
        return max((diagnostic.severity for diagnostic in self.diagnostics), default=None)

    @property
    def has_errors(self) -> bool:
        """Whether the input cannot be used."""
        return self.worst is Severity.ERROR

    def count(self, severity: Severity) -> int:
        """Return how many findings have exactly this severity."""
        return sum(diagnostic.severity is severity for diagnostic in self.diagnostics)


class InvalidWorkflowError(WfctlError):
    """A workflow that cannot be used, with every reason."""

    code = "invalid-workflow"

    def __init__(self, report: Report) -> None:
        first = next(iter(d for d in report if d.severity is Severity.ERROR), None)
        where = f"{first.span}: " if first and first.span else ""
        what = f"{where}{first.code} {first.message}" if first else "no reason given"
        more = report.count(Severity.ERROR) - 1
        rest = f" (and {more} more)" if more > 0 else ""
        super().__init__(f"the workflow is not valid: {what}{rest}")
        self.report = report
