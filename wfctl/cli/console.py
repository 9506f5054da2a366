"""How the command line talks: complaints on standard error, answers on standard output.

Invariant: everything that came from a user's file is stripped of control characters before a terminal sees it.
"""

import click

from wfctl.errors import LoadError, RunError, WfctlError


def printable(text: str, *, keep: str = "\n") -> str:
    """Return ``text`` with control and bidirectional characters written as escapes, ``keep`` excepted."""
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def say(text: str) -> None:
    """Write a line of talk to standard error."""
    click.echo(printable(text), err=True)


def complain(error: WfctlError) -> None:
    """Write an error that ends the command: what failed, then the user's traceback if there is one, then a hint."""
    click.echo(click.style("error", fg="red", bold=True) + f"[{error.code}]: {printable(error.message)}", err=True)
    if isinstance(error, (LoadError, RunError)) and error.traceback_text:
        click.echo(_indented(printable(error.traceback_text, keep="\n\t")), err=True)
    if error.hint:
        click.echo(click.style("hint", fg="cyan", bold=True) + f": {printable(error.hint)}", err=True)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())
