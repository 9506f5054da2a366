"""The closing words of a check, for people."""

from collections.abc import Sequence

from wfctl.cli.reporters.interface import Verdict
from wfctl.diagnostics.model import Severity


def closing(verdicts: Sequence[Verdict]) -> str:
    """Return one line with all counts, and what to do about them."""
    unread = sum(verdict.error is not None for verdict in verdicts)
    parts = [f"checked {counted(len(verdicts) - unread, 'workflow')}: {counts(verdicts) or 'nothing found'}"]
    if unread:
        parts.append(f"{counted(unread, 'workflow')} not read")
    fixable = sum(bool(diagnostic.fix) for verdict in verdicts for diagnostic in verdict.report)
    if fixable:
        parts.append(f"{fixable} can be mended by --fix")
    return "; ".join(parts)


def counts(verdicts: Sequence[Verdict]) -> str:
    """Return how many findings there are of each severity, the worst first; nothing where there are none."""
    numbers = {severity: sum(each.report.count(severity) for each in verdicts) for severity in reversed(Severity)}
    return ", ".join(counted(number, severity.word) for severity, number in numbers.items() if number)


def counted(count: int, word: str) -> str:
    """Return a count with its noun."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
