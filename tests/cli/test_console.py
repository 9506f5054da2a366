"""What ends a command is said on standard error, harmlessly."""

import subprocess
import sys
from pathlib import Path

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


FULL = Path("/dev/full")
"""A device that takes nothing, as a disk does that is full."""


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["rule"], ["rule", "WF304"], ["render", "flow"], ["run", "flow/input.json"]])
def test_standard_output_that_takes_no_more_is_told_without_a_traceback(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "workflow.yaml").write_text("dag:\n  only: []\n")
    (folder / "handler.py").write_text("def only(data, context):\n    return data and [b'1' for _ in data]\n")
    (folder / "input.json").write_text("1")
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wfctl", *words], stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, check=False
        )
    assert done.returncode == 4
    assert "error[output-failed]: standard output cannot be written: no space left on device\n" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert "Exception ignored" not in done.stderr.decode()
