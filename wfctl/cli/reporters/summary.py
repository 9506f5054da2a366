"""The closing words of a check, for people."""

from collections.abc import Sequence

from wfctl.cli.reporters.interface import Verdict
from wfctl.diagnostics.model import Severity


def closing(verdicts: Sequence[Verdict]) -> str:
    """Return one line with all counts, and what to do about them."""
    counts = {severity: sum(verdict.report.count(severity) for verdict in verdicts) for severity in reversed(Severity)}
    found = ", ".join(counted(count, severity.word) for severity, count in counts.items() if count)
    unread = sum(verdict.error is not None for verdict in verdicts)
    parts = [f"checked {counted(len(verdicts) - unread, 'workflow')}: {found or 'nothing found'}"]
    if unread:
        parts.append(f"{counted(unread, 'workflow')} not read")
    fixable = sum(bool(diagnostic.fix) for verdict in verdicts for diagnostic in verdict.report)
    if fixable:
        parts.append(f"{fixable} can be mended by --fix")
    return "; ".join(parts)


def counted(count: int, word: str) -> str:
    """Return a count with its noun."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
