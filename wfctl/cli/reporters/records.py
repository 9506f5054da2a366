"""The forms for programs: findings as JSON, whole or a line each; ``schemas/diagnostics-report.json`` describes both.

Invariant: texts stand as the user wrote them; JSON escapes what is not ASCII, so no terminal is harmed by them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from wfctl import __version__
from wfctl.cli.reporters.interface import Verdict
from wfctl.diagnostics.catalog import RULES
from wfctl.diagnostics.model import Diagnostic, Position, Severity, Span
from wfctl.errors import WfctlError

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class JsonReporter:
    """One JSON document for all workflows."""

    def render(self, verdicts: Sequence[Verdict]) -> str:
        """Return the document, indented."""
        document = {
            "version": FORMAT_VERSION,
            "tool": {"name": "wfctl", "version": __version__},
            "workflows": [_workflow(verdict) for verdict in verdicts],
            "summary": _summary(verdicts),
        }
        return json.dumps(document, indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class JsonLinesReporter:
    """One JSON object a line: a finding, or why a workflow could not be read."""

    def render(self, verdicts: Sequence[Verdict]) -> str:
        """Return the lines; each names its workflow."""
        lines: list[dict[str, object]] = []
        for verdict in verdicts:
            if verdict.error:
                lines.append({"workflow": verdict.path, "error": _error(verdict.error)})
            lines.extend({"workflow": verdict.path, **_finding(found)} for found in verdict.report)
        return "".join(json.dumps(line) + "\n" for line in lines)


def _workflow(verdict: Verdict) -> dict[str, object]:
    record: dict[str, object] = {
        "workflow": verdict.path,
        "diagnostics": [_finding(found) for found in verdict.report],
    }
    if verdict.error:
        record["error"] = _error(verdict.error)
    return record


def _error(error: WfctlError) -> dict[str, object]:
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _summary(verdicts: Sequence[Verdict]) -> dict[str, int]:
    counts = {
        f"{severity.word}s": sum(verdict.report.count(severity) for verdict in verdicts)
        for severity in reversed(Severity)
    }
    return {
        "workflows": len(verdicts),
        "unreadable": sum(verdict.error is not None for verdict in verdicts),
        **counts,
        "fixable": sum(bool(found.fix) for verdict in verdicts for found in verdict.report),
    }


def _finding(found: Diagnostic) -> dict[str, object]:
    return {
        "code": found.code,
        "name": RULES[found.code].name,
        "severity": found.severity.word,
        "message": found.message,
        "location": _location(found.span),
        "label": found.label,
        "help": found.help,
        "notes": list(found.notes),
        "related": [{"location": _location(label.span), "text": label.text} for label in found.secondary],
        "fix": [{"location": _location(edit.span), "replacement": edit.replacement} for edit in found.fix],
    }


def _location(span: Span | None) -> dict[str, object] | None:
    if span is None:
        return None
    return {"file": span.source.name, "start": _position(span.start), "end": _position(span.end)}


def _position(position: Position) -> dict[str, int]:
    return {"line": position.line, "column": position.column, "offset": position.offset}
