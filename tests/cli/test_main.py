"""How commands end: every kind of failure has its exit code, and only our own faults show our own code."""

import sys

import click
import pytest

from wfctl.cli import main as command_line
from wfctl.cli.exits import Exit
from wfctl.errors import (
    ArchiveError,
    DeadlineExceededError,
    InternalError,
    RunError,
    StoreError,
    UnsupportedError,
    WorkerError,
)


def ended_by(monkeypatch, error: BaseException) -> int:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(command_line.root, "main", lambda **_: fail())
    monkeypatch.setattr(command_line.os, "_exit", sys.exit)  # an interrupt ends without Python's own leave-taking
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreError("x"), Exit.FINDINGS),
        (ArchiveError("x"), Exit.FINDINGS),
        (UnsupportedError("x"), Exit.FINDINGS),
        (click.UsageError("x"), Exit.USAGE),
        (RunError("x", node="n", attempts=1), Exit.HANDLER),
        (DeadlineExceededError("x", node="n", attempts=1), Exit.HANDLER),
        (WorkerError("x"), Exit.SYSTEM),
        (InternalError("x"), Exit.BUG),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (click.Abort(), Exit.INTERRUPTED),
    ],
)
def test_every_kind_of_failure_has_its_exit_code(monkeypatch, capsys, error, code) -> None:
    assert ended_by(monkeypatch, error) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_fault_of_ours_shows_itself_and_asks_for_a_report(monkeypatch, capsys) -> None:
    assert ended_by(monkeypatch, ZeroDivisionError("ours")) == Exit.BUG == 70
    complaint = capsys.readouterr().err
    assert "ZeroDivisionError: ours" in complaint
    assert "bug in wfctl" in complaint
