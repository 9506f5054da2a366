"""``wfctl run``: a workflow on disk, an input, an answer."""

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wfctl.cli.console import say
from wfctl.cli.discover import find_workflow
from wfctl.cli.fetching import Fetching, fetch_options
from wfctl.cli.loading import Loading, loading_options
from wfctl.cli.notice import Notice, shown_if_slow
from wfctl.cli.options import complete_nodes, complete_workflows, model_store_option
from wfctl.cli.run_input import STDIN, read_parts
from wfctl.cli.run_output import expect_folder_of, kept_for_the_answer, show_line, show_logs, show_timings, write_answer
from wfctl.errors import RunError

if TYPE_CHECKING:
    from wfctl.engine.call import Part
    from wfctl.service.answer import Answer
    from wfctl.service.deployment import Deployment


@click.command(epilog="Exit codes: 0 answered, 1 not a sound workflow, 2 usage, 3 a handler failed, 4 system.")
@click.argument("source", metavar="[INPUT]", required=False)
@click.option(
    "-w",
    "--workflow",
    shell_complete=complete_workflows,
    metavar="PATH|URL",
    help="A spec, a folder or a .war; without it the workflow of this folder, then of INPUT's folder.",
)
@click.option("--handler", type=click.Path(path_type=Path), help="The handler, where it is not beside the spec.")
@model_store_option
@fetch_options
@click.option(
    "-i", "--input", "fields", multiple=True, metavar="NAME=TEXT|NAME=@FILE", help="A form field; repeatable."
)
@click.option("--content-type", metavar="TYPE", help="Of INPUT; by default what its name tells.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the answer to a file.")
@click.option(
    "--until",
    metavar="NODE",
    shell_complete=complete_nodes,
    help="Answer with the output of this node; what comes after it is not loaded.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show the times of every node on standard error.")
@click.option("--inline", is_flag=True, help="Run every node in this process, for breakpoint() and profilers.")
@loading_options
def command(
    *,
    source: str | None,
    workflow: str | None,
    handler: Path | None,
    model_store: Path | None,
    fetching: Fetching,
    fields: tuple[str, ...],
    content_type: str | None,
    output: Path | None,
    until: str | None,
    verbose: bool,
    inline: bool,
    loading: Loading,
) -> None:
    """Run a workflow on an input and print the answer.

    INPUT is a JSON file, any other file with the content type its name tells, or `-` for standard input (JSON if it
    is JSON, else text if it is UTF-8, else bytes).

    The answer goes to standard output exactly as the last node returned it; on a terminal JSON is indented, and an
    answer that is not text is refused. What handlers print goes to standard error, the node's name in front.

    Archives are fetched only from where --allow-url allows it, and run only if their digest is pinned or with --trust.
    """
    from wfctl.service.deployment import open_deployment

    parts = read_parts(source, fields, content_type)
    if output is not None:
        expect_folder_of(output)
    notice = Notice("loading ...", sys.stderr)
    deployment = open_deployment(
        _workflow(workflow, source, fetching.workflow_store),
        handler=handler,
        model_store=model_store,
        until=until,
        inline=inline,
        on_output=partial(_show_line, notice),
        **loading.arguments(),
        **fetching.arguments(notice),
    )
    answer = _answer(deployment, parts, notice, is_inline=inline)
    if verbose:
        show_timings(answer)
    write_answer(answer, output)


def _answer(deployment: "Deployment", parts: tuple["Part", ...], notice: Notice, *, is_inline: bool) -> "Answer":
    with ExitStack() as stack:
        if is_inline:
            show_logs()
            stack.enter_context(kept_for_the_answer())
        with shown_if_slow(notice):
            opened = stack.enter_context(deployment)
        _show_differences(opened)
        return opened.predict_parts(parts) if is_inline else _answered_by_workers(opened, parts)


def _show_differences(deployment: "Deployment") -> None:
    """Say how the run differs from what the archives ask for, a line each."""
    from wfctl.diagnostics.catalog import RULES

    for found in deployment.report:
        if RULES[found.code].at_run:
            say(f"{found.severity.word}: {found.message} [{found.code}]")
    for sentence in deployment.limits:
        say(f"note: {sentence}")


def _answered_by_workers(deployment: "Deployment", parts: tuple["Part", ...]) -> "Answer":
    try:
        return deployment.predict_parts(parts)
    except RunError as error:
        if (error.traceback_text or "").rstrip().endswith("bdb.BdbQuit"):
            error.hint = "breakpoint() needs a terminal: wfctl run --inline"
        raise


def _show_line(notice: Notice, node: str, stream: str, line: str) -> None:
    """Show what a handler printed, below no other line."""
    notice.end()
    show_line(node, stream, line)


def _workflow(named: str | None, source: str | None, store: Path | None) -> Path | str:
    """Return the workflow to run: the one named, else that of this folder, else that of the input's folder."""
    if named is not None:
        from wfctl.service.origins import is_url

        return named if is_url(named) else find_workflow(Path(named), store)
    try:
        return find_workflow(None)
    except click.UsageError:
        if source in {None, STDIN}:
            raise
        return find_workflow(Path(str(source)).parent)
