import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Severity, SourceText
from wfctl.diagnostics.report import InvalidWorkflowError, Report

SPEC = SourceText("w.yaml", "a\nb\nc\n")
HANDLER = SourceText("handler.py", "def f(): pass\n")


def _findings() -> list[Diagnostic]:
    return [
        find("WF304", "two", SPEC.span(2, 3)),
        find("WF301", "one", SPEC.span(2, 3)),
        find("WF301", "one", SPEC.span(0, 1)),
        find("WF404", "def", HANDLER.span(4, 5)),
        find("WF401", "nowhere"),
        find("WF901", "note", SPEC.span(4, 5)),
    ]


def test_findings_stand_in_the_order_of_their_places() -> None:
    assert [d.code for d in Report.of(_findings())] == ["WF401", "WF404", "WF301", "WF301", "WF304", "WF901"]


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_the_order_of_finding_and_repetitions_leave_no_trace(order: list[int], again: list[int]) -> None:
    findings = _findings()
    assert Report.of(findings[index] for index in [*order, *again]) == Report.of(findings)


def test_an_empty_report_has_nothing_to_say() -> None:
    report = Report()
    assert len(report) == 0
    assert report.worst is None
    assert not report.has_errors


def test_the_worst_finding_decides() -> None:
    note, warning = find("WF901", "x"), find("WF307", "y")
    assert not Report.of([note, warning]).has_errors
    assert Report.of([note, warning]).worst is Severity.WARNING
    assert Report.of(_findings()).has_errors
    assert Report.of(_findings()).count(Severity.ERROR) == 5


def test_the_exception_tells_the_first_error_and_how_many_more() -> None:
    report = Report.of(
        [find("WF307", "warned", SPEC.span(0, 1)), find("WF301", "round", SPEC.span(2, 3)), *_findings()[:1]]
    )
    with pytest.raises(InvalidWorkflowError, match=r"w\.yaml:2:1: WF301 round \(and 1 more\)") as caught:
        raise InvalidWorkflowError(report)
    assert caught.value.report is report
    assert caught.value.code == "invalid-workflow"
