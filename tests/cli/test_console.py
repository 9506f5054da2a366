"""What ends a command is said on standard error, harmlessly."""

import pytest

from wfctl.cli.console import complain
from wfctl.cli.options import colour_choice, environment_store, is_github_actions
from wfctl.cli.printable import printable
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import SourceText
from wfctl.diagnostics.report import InvalidWorkflowError, Report
from wfctl.errors import UnreadableInputError


def test_a_workflow_that_is_refused_is_shown_with_its_frames(capsys: pytest.CaptureFixture[str]) -> None:
    source = SourceText("w.yaml", "dag: {}\n")
    complain(
        InvalidWorkflowError(Report.of([find("WF205", "the dag is empty", source.span(5, 7)), find("WF307", "x")]))
    )
    out, err = capsys.readouterr()
    assert out == ""
    assert "error[WF205]: the dag is empty\n --> w.yaml:1:6\n  |\n1 | dag: {}\n  |      ^^\n" in err
    assert err.endswith("error[invalid-workflow]: the workflow is not valid: 1 error, 1 warning\n")


def test_an_error_is_said_with_its_hint_and_without_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    complain(UnreadableInputError("no \x1b[31m file", hint="look \u202e there"))
    assert capsys.readouterr().err == "error[unreadable-input]: no \\x1b[31m file\nhint: look \\u202e there\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb", "a\nb"),
        ("\t\r", "\\t\\r"),
        ("\x9b\x7f", "\\x9b\\x7f"),
        ("\u2028", "\\u2028"),
        ("é模", "é模"),
    ],
)
def test_control_characters_are_written_as_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_the_environment_decides_by_values_not_by_presence() -> None:
    assert colour_choice({}) is None
    assert colour_choice({"NO_COLOR": ""}) is None
    assert colour_choice({"NO_COLOR": "0"}) is False
    assert is_github_actions({"GITHUB_ACTIONS": "true"})
    assert not is_github_actions({"GITHUB_ACTIONS": "false"})
    assert environment_store({"WFCTL_MODEL_STORE": ""}) is None
