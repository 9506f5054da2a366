"""Every file below tests/cases through the one door."""

import re
from pathlib import Path

import pytest
from checking import check_example, read_store

from wfctl.check.page import Example, expanded
from wfctl.compat.rules import COMPAT_CODES
from wfctl.diagnostics.catalog import RULES
from wfctl.diagnostics.model import Diagnostic, Severity
from wfctl.diagnostics.report import Report

CASES = Path(__file__).parent.parent / "cases"
ERR = sorted((CASES / "err").glob("*.yaml"))
_MEMBER = re.compile(r"^== (\S+)\n((?:(?!== ).*\n)*)", re.MULTILINE)
OK = sorted((CASES / "ok").glob("*.yaml"))


def _example(path: Path) -> Example:
    handler, store = path.with_suffix(".py"), path.with_suffix(".store")
    members = path.with_suffix(".members")
    spec = path.read_bytes()
    if path.stem.endswith(".template"):
        spec = expanded(spec.decode()).encode()
    return Example(
        spec=spec,
        handler=handler.read_text() if handler.exists() else None,
        handler_name=handler.name,
        store=read_store(store.read_text()) if store.exists() else None,
        members=dict(_MEMBER.findall(members.read_text())) if members.exists() else {},
    )


def _line(diagnostic: Diagnostic, spec_name: str) -> str:
    span = diagnostic.span
    file = "" if span is None or span.source.name == spec_name else f"{span.source.name}:"
    where = "-" if span is None else f"{file}{span.start.line}:{span.start.column}"
    return f"{where} {diagnostic.code} {diagnostic.message}\n"


@pytest.mark.parametrize("path", ERR, ids=lambda path: path.stem)
def test_a_faulty_workflow_gives_its_findings_in_one_go(path: Path, *, is_updating: bool) -> None:
    checked = check_example(_example(path), spec_name=path.name)
    printed = "".join(_line(diagnostic, path.name) for diagnostic in checked.report)
    expected = path.with_suffix(".out")
    if is_updating:
        expected.write_text(printed)
    assert printed == expected.read_text()
    assert (checked.workflow is None) == checked.report.has_errors
    _assert_printable_and_in_the_text(checked.report)


def _assert_printable_and_in_the_text(report: Report) -> None:
    for diagnostic in report:
        assert diagnostic.message.isprintable()
        assert not diagnostic.message.endswith(".")
        assert len(diagnostic.message) < 400
        for span in (diagnostic.span, *(label.span for label in diagnostic.secondary)):
            assert span is None or 0 <= span.start.offset <= span.end.offset <= len(span.source.text)


@pytest.mark.parametrize("path", OK, ids=lambda path: path.stem)
def test_a_sound_workflow_passes(path: Path) -> None:
    checked = check_example(_example(path), spec_name=path.name)
    assert [d for d in checked.report if d.severity > Severity.NOTE] == []
    assert checked.workflow is not None
    if path.stem.startswith("torchserve-"):
        assert not checked.report


@pytest.mark.parametrize("code", [code for code in RULES if code not in COMPAT_CODES])
def test_every_code_has_a_case(code: str) -> None:
    found = [path.name for path in ERR if f" {code} " in path.with_suffix(".out").read_text()]
    assert found, f"{code} {RULES[code].name}"
