"""The form for test reports: a suite for each workflow, a case for each finding.

Invariant: always well-formed XML 1.0; characters that XML cannot hold stand as escapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from wfctl.cli.printable import printable
from wfctl.cli.reporters.interface import Verdict
from wfctl.diagnostics.catalog import RULES
from wfctl.diagnostics.model import Diagnostic, Severity


@dataclass(frozen=True, slots=True)
class JunitReporter:
    """Errors and warnings are failures, notes are cases that passed with a remark."""

    def render(self, verdicts: Sequence[Verdict]) -> str:
        """Return the document."""
        root = Element("testsuites", name="wfctl validate")
        for verdict in verdicts:
            _suite(root, verdict)
        for count in ("tests", "failures", "errors"):
            root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
        indent(root)
        text = tostring(root, encoding="unicode")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(root: Element, verdict: Verdict) -> None:
    suite = SubElement(root, "testsuite", name=_text(verdict.path))
    for found in verdict.report:
        _case(suite, verdict.path, found)
    if verdict.error:
        case = SubElement(suite, "testcase", classname=_text(verdict.path), name="read")
        SubElement(case, "error", type=verdict.error.code, message=_text(verdict.error.message))
    elif not len(suite):
        SubElement(suite, "testcase", classname=_text(verdict.path), name="validate")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(int(verdict.error is not None)))


def _case(suite: Element, path: str, found: Diagnostic) -> None:
    name = f"{found.code} {RULES[found.code].name}"
    case = SubElement(suite, "testcase", classname=_text(path), name=name)
    where = str(found.span) if found.span else path
    case.set("file", _text(found.span.source.name if found.span else path))
    case.set("line", str(found.span.start.line if found.span else 1))
    lines = [f"{where}: {found.message}", f"help: {found.help}" if found.help else "", *found.notes]
    text = _text("\n".join(line for line in lines if line))
    if found.severity is Severity.NOTE:
        SubElement(case, "system-out").text = text
    else:
        failure = SubElement(case, "failure", type=found.severity.word, message=_text(found.message))
        failure.text = text


def _text(text: str) -> str:
    return printable(text)
