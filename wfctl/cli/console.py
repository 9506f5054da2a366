"""How the command line talks: complaints on standard error, answers on standard output.

Invariant: everything that came from a user's file is stripped of control characters before a terminal sees it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from wfctl.cli.exits import Exit
from wfctl.cli.options import colour_choice
from wfctl.cli.printable import printable
from wfctl.errors import Blame, LoadError, RunError, WfctlError


class OutputError(WfctlError):
    """Standard output takes no more: the disk is full, say."""

    code = "output-failed"
    blame = Blame.SYSTEM


class SystemRefusalError(WfctlError):
    """The operating system refused what nobody expected it to refuse."""

    code = "system-refusal"
    blame = Blame.SYSTEM

    def __init__(self, failure: OSError) -> None:
        what = f'"{failure.filename}": ' if failure.filename else ""
        super().__init__(what + (failure.strerror or str(failure)).lower())


def answer(text: str, *, newline: bool = True) -> None:
    """Write the answer of a command to standard output; ``text`` may be styled and is already printable."""
    with writing_the_answer():
        click.echo(text, nl=newline, color=colour_choice())


@contextmanager
def writing_the_answer() -> Iterator[None]:
    """Translate what standard output may refuse; that a reader left (``wfctl ... | head``) is no failure, and an end.

    Not left to click, which would take it for a failure.
    """
    try:
        yield
    except BrokenPipeError:
        sys.stdout = None  # or Python would try to write the rest when it ends
        raise click.exceptions.Exit(Exit.OK) from None
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise OutputError(f"standard output cannot be written: {reason}") from failure


def say(text: str) -> None:
    """Write a line of talk to standard error; a line end in the name of a file must not begin another."""
    click.echo(printable(text, keep=""), err=True)


def say_styled(text: str) -> None:
    """Write a line of talk that holds colours of ours to standard error; the user's part is already printable."""
    click.echo(text, err=True, color=colour_choice())


def complain(error: WfctlError) -> None:
    """Write an error that ends the command: what failed, then the user's traceback if there is one, then a hint."""
    message = _show(error) if error.code == "invalid-workflow" else str(error)
    say_styled(click.style("error", fg="red", bold=True) + f"[{error.code}]: {_on_lines(message, error)}")
    trace = (error.traceback_text or "").strip() if isinstance(error, (LoadError, RunError)) else ""
    # One line alone is no traceback but an explanation, and stands in the message already.
    if "\n" in trace:
        say_styled(_indented(printable(trace, keep="\n\t")))
    if error.hint:
        say_styled(click.style("hint", fg="cyan", bold=True) + f": {printable(error.hint, keep='')}")


def _on_lines(message: str, error: WfctlError) -> str:
    # Handlers may write several lines; elsewhere a line end is part of a hostile name.
    return printable(message, keep="\n" if isinstance(error, (LoadError, RunError)) else "")


def _show(error: WfctlError) -> str:
    """Show the findings that an error carries, and return what remains to be said."""
    # Imported here: ``wfctl --help`` pays for none of it.
    from wfctl.cli.reporters.full import FullReporter
    from wfctl.cli.reporters.interface import Verdict
    from wfctl.cli.reporters.summary import counts
    from wfctl.diagnostics.report import InvalidWorkflowError

    if not isinstance(error, InvalidWorkflowError):
        return str(error)
    verdict = Verdict(path="the workflow", report=error.report)
    say_styled(
        FullReporter(width=terminal_width(sys.stderr), mends="wfctl validate --fix").render([verdict]).rstrip("\n")
        + "\n"
    )
    return f"the workflow is not valid: {counts([verdict])}"


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Return the columns of the terminal that ``stream`` (standard output) is, ``None`` if it is none."""
    try:
        return os.get_terminal_size((stream or sys.stdout).fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())
