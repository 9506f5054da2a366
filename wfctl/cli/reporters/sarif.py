"""The form for code scanning: SARIF 2.1.0.

Invariant: columns are counted in characters, and the log says so; what could not be read is a notification.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from wfctl import __version__
from wfctl.cli.printable import printable
from wfctl.cli.reporters.interface import Verdict
from wfctl.diagnostics.catalog import RULES, Rule
from wfctl.diagnostics.model import Diagnostic, Edit, Label, Severity, Span

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


@dataclass(frozen=True, slots=True)
class SarifReporter:
    """One log with one run."""

    def render(self, verdicts: Sequence[Verdict]) -> str:
        """Return the log, indented."""
        codes = sorted({found.code for verdict in verdicts for found in verdict.report})
        index = {code: place for place, code in enumerate(codes)}
        driver = {"name": "wfctl", "version": __version__, "rules": [_rule(RULES[code]) for code in codes]}
        run = {
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "invocations": [_invocation(verdicts)],
            "results": [
                _result(verdict.path, found, index[found.code]) for verdict in verdicts for found in verdict.report
            ],
        }
        return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "help": {"text": f"wfctl rule {rule.code}"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _invocation(verdicts: Sequence[Verdict]) -> dict[str, object]:
    failed = [
        {
            "level": "error",
            "message": {"text": verdict.error.message},
            "descriptor": {"id": verdict.error.code},
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(verdict.path)}}],
        }
        for verdict in verdicts
        if verdict.error
    ]
    return {"executionSuccessful": not failed, "toolExecutionNotifications": failed}


def _result(path: str, found: Diagnostic, index: int) -> dict[str, object]:
    place = _place(found.span) if found.span else {"artifactLocation": _artifact(path)}
    result: dict[str, object] = {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": _LEVELS[found.severity],
        "message": {"text": _message(found)},
        "locations": [{"physicalLocation": place}],
    }
    if found.secondary:
        result["relatedLocations"] = [_related(label, place) for place, label in enumerate(found.secondary)]
    if found.fix:
        result["fixes"] = [_fix(found)]
    return result


def _message(found: Diagnostic) -> str:
    what = f"{found.message} ({found.label})" if found.label else found.message
    rest = [f"help: {found.help}"] if found.help else []
    rest += [f"note: {note}" for note in found.notes]
    return printable("\n".join([what, *rest]))


def _related(label: Label, number: int) -> dict[str, object]:
    return {"id": number, "message": {"text": printable(label.text)}, "physicalLocation": _place(label.span)}


def _fix(found: Diagnostic) -> dict[str, object]:
    files: dict[str, list[Edit]] = {}
    for edit in found.fix:
        files.setdefault(edit.span.source.name, []).append(edit)
    changes = [
        {"artifactLocation": _artifact(name), "replacements": [_replacement(edit) for edit in edits]}
        for name, edits in files.items()
    ]
    return {"description": {"text": printable(found.help or found.message)}, "artifactChanges": changes}


def _replacement(edit: Edit) -> dict[str, object]:
    return {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.replacement}}


def _place(span: Span) -> dict[str, object]:
    return {"artifactLocation": _artifact(span.source.name), "region": _region(span)}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.start.line,
        "startColumn": span.start.column,
        "endLine": span.end.line,
        "endColumn": span.end.column,
        "charOffset": span.start.offset,
        "charLength": span.end.offset - span.start.offset,
    }


def _artifact(name: str) -> dict[str, str]:
    path = Path(name)
    return {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}
