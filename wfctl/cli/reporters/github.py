"""The form for GitHub Actions: a workflow command for each finding, shown beside the line in a pull request.

Invariant: no text of the user can start a second command or end a property.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wfctl.cli.printable import printable
from wfctl.cli.reporters.interface import Verdict
from wfctl.diagnostics.catalog import RULES
from wfctl.diagnostics.model import Diagnostic, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


@dataclass(frozen=True, slots=True)
class GithubReporter:
    """``::error file=...,line=...::message``."""

    def render(self, verdicts: Sequence[Verdict]) -> str:
        """Return one command for each finding, and one for each workflow that could not be read."""
        lines: list[str] = []
        for verdict in verdicts:
            if verdict.error:
                text = "\n".join(filter(None, [verdict.error.message, verdict.error.hint]))
                lines.append(f"::error file={_property(verdict.path)}::{_value(text)}")
            lines.extend(_command(verdict.path, found) for found in verdict.report)
        return "".join(f"{line}\n" for line in lines)


def _command(path: str, found: Diagnostic) -> str:
    properties = ",".join(f"{key}={_property(value)}" for key, value in _properties(path, found))
    return f"::{_COMMANDS[found.severity]} {properties}::{_value(_message(found))}"


def _properties(path: str, found: Diagnostic) -> Iterator[tuple[str, str]]:
    span = found.span
    yield "file", span.source.name if span else path
    if span:
        yield "line", str(span.start.line)
        yield "endLine", str(span.end.line)
        if span.start.line == span.end.line:  # columns are taken on one line only
            yield "col", str(span.start.column)
            yield "endColumn", str(span.end.column)
    yield "title", f"{found.code} {RULES[found.code].name}"


def _message(found: Diagnostic) -> str:
    lines = [f"{found.message} ({found.label})" if found.label else found.message]
    lines += [f"help: {found.help}"] if found.help else []
    lines += [f"note: {note}" for note in found.notes]
    return "\n".join(lines)


def _value(text: str) -> str:
    return printable(text).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return printable(text, keep="").replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
