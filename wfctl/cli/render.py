"""``wfctl render``: draw the graph of a workflow, sound or not.

Invariant: nothing of the user's is imported or run; the picture goes to standard output or a file, talk to standard
error.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from wfctl.archive.read_sources import read_sources
from wfctl.check.check import check
from wfctl.check.model import Checked, Sources
from wfctl.cli.console import answer, say, terminal_width
from wfctl.cli.discover import HANDLER_RULE, find_workflow
from wfctl.cli.exits import Exit
from wfctl.cli.options import colour_choice, complete_workflows, workflow_store_option
from wfctl.cli.reporters.summary import counted
from wfctl.cli.stdin import STDIN, read_stdin_sources
from wfctl.diagnostics.model import Severity
from wfctl.diagnostics.report import InvalidWorkflowError, Report
from wfctl.render.build import draw
from wfctl.render.formats import ENDINGS, Form, Paper, form_for, render
from wfctl.render.model import Drawing
from wfctl.replace_file import replace_file

_PIPE_WIDTH = 100
_BOX_CHARACTERS = "┏╭▼▶┄…"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wishes:
    """What was asked for."""

    output: Path | None
    form: Form
    direction: str
    is_ascii: bool
    width: int | None


@click.command(short_help="Draw the graph of a workflow.", epilog=f"The handler of a spec is {HANDLER_RULE}.")
@click.argument("path", required=False, type=click.Path(path_type=Path), shell_complete=complete_workflows)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Write the picture to a file; its ending says which form: {' '.join(ENDINGS)}.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Form]),
    help="Form of the picture.  [default: terminal]",
)
@click.option(
    "--direction",
    type=click.Choice(["TB", "LR"], case_sensitive=False),
    default="TB",
    metavar="[TB|LR]",
    show_default=True,
    help="From top to bottom, or from left to right.",
)
@click.option("--ascii", "is_ascii", is_flag=True, help="Draw with plain ASCII characters.")
@click.option(
    "--width",
    type=click.IntRange(20, 100_000),
    metavar="N",
    help=f"Columns to draw in.  [default: the terminal's, {_PIPE_WIDTH} elsewhere]",
)
@click.option("--handler", type=click.Path(path_type=Path), help="The handler file, where it is not beside the spec.")
@workflow_store_option
def command(
    *,
    path: Path | None,
    output: Path | None,
    form: str | None,
    direction: str,
    is_ascii: bool,
    width: int | None,
    handler: Path | None,
    workflow_store: Path | None,
) -> int:
    """Draw the graph of a workflow.

    PATH is a spec, a .war, a folder, or - for a spec on standard input; without one, the workflow of the current
    folder. An unsound graph is drawn too, with its faults marked.
    """
    if output == STDIN:  # by the same custom a dash is standard output
        output = None
    wishes = _Wishes(
        output=output, form=_form(form, output), direction=direction.upper(), is_ascii=is_ascii, width=width
    )
    title, sources = _read(path, handler, workflow_store)
    checked = check(sources)
    drawing = _draw(title, checked)
    _show(drawing, wishes)
    _tell(checked.report, sources.spec.name)
    return Exit.OK


def _form(form: str | None, output: Path | None) -> Form:
    if form is not None:
        return Form(form)
    if output is None:
        return Form.TERMINAL
    meant = form_for(output)
    if meant is None:
        raise click.UsageError(
            f'the ending of "{output}" says nothing about the form: use one of {" ".join(ENDINGS)}, or --format'
        )
    return meant


def _read(path: Path | None, handler: Path | None, store: Path | None) -> tuple[str, Sources]:
    if path == STDIN:
        return "workflow", read_stdin_sources(handler)
    read = read_sources(find_workflow(path, store), handler=handler)
    return read.name, read.sources


def _draw(title: str, checked: Checked) -> Drawing:
    """Return the drawing, or raise with all findings where there is no graph to be drawn."""
    if checked.spec is None:
        raise InvalidWorkflowError(checked.report)
    drawing = draw(title=title, spec=checked.spec, dag=checked.dag, handler=checked.handler, report=checked.report)
    if not drawing.nodes:
        raise InvalidWorkflowError(checked.report)
    return drawing


def _show(drawing: Drawing, wishes: _Wishes) -> None:
    is_file = wishes.output is not None
    columns = None if is_file else terminal_width()
    paper = Paper(
        direction=wishes.direction,
        width=wishes.width or columns or _PIPE_WIDTH,
        is_ascii=wishes.is_ascii or not (is_file or _can_show_boxes()),
        is_coloured=columns is not None and colour_choice() is not False,
    )
    text = render(drawing, wishes.form, paper)
    if wishes.output is None:
        answer(text, newline=False)
        return
    replace_file(wishes.output, text.encode())
    say(f"wrote {wishes.output}")


def _can_show_boxes() -> bool:
    """Whether standard output has the characters of boxes; an old locale has not."""
    try:
        _BOX_CHARACTERS.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _tell(report: Report, name: str) -> None:
    counts = [(report.count(severity), severity.word) for severity in (Severity.ERROR, Severity.WARNING)]
    found = [counted(count, word) for count, word in counts if count]
    if found:
        say(f"{name}: {', '.join(found)}; wfctl validate shows them")
