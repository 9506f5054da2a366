"""``wfctl run``: a workflow on disk, an input, an answer."""

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from wfctl.cli.bulk_options import Bulk, BulkCommand, bulk_options, is_bulk
from wfctl.cli.discover import find_workflow
from wfctl.cli.engine_choice import EngineChoice, engine_options
from wfctl.cli.exits import Exit
from wfctl.cli.fetching import Fetching, fetch_options
from wfctl.cli.loading import Loading, loading_options
from wfctl.cli.notice import Notice, shown_if_slow
from wfctl.cli.options import complete_nodes, complete_workflows, model_store_option
from wfctl.cli.run_help import RUN_HELP
from wfctl.cli.run_input import STDIN, read_parts
from wfctl.cli.run_output import (
    expect_folder_of,
    kept_for_the_answer,
    show_differences,
    show_line,
    show_logs,
    show_timings,
    write_answer,
)
from wfctl.errors import RunError

if TYPE_CHECKING:
    from wfctl.engine.call import Part
    from wfctl.service.answer import Answer
    from wfctl.service.deployment import Deployment
    from wfctl.service.options import Options
    from wfctl.service.prepare import Request


@click.command(
    help=RUN_HELP,
    epilog="Exit codes: 0 answered, 1 not a sound workflow, 2 usage, 3 a handler or a bulk input failed, 4 system.",
)
@click.argument("sources", metavar="[INPUT]...", nargs=-1)
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
@click.option("--content-type", metavar="TYPE", help="Of INPUT, then one input; by default what its name tells.")
@click.option("-o", "--output", metavar="OUTPUT", help="A file for the answer; for answers FILE.jsonl or FOLDER/.")
@click.option(
    "--until",
    metavar="NODE",
    shell_complete=complete_nodes,
    help="Answer with the output of this node; what comes after it is not loaded.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show the times of every node on standard error.")
@click.option("--inline", is_flag=True, help="Run every node in this process, for breakpoint() and profilers.")
@engine_options
@bulk_options
@loading_options
def command(
    *,
    sources: tuple[str, ...],
    workflow: str | None,
    handler: Path | None,
    model_store: Path | None,
    fetching: Fetching,
    fields: tuple[str, ...],
    content_type: str | None,
    output: str | None,
    until: str | None,
    verbose: bool,
    inline: bool,
    engine: EngineChoice,
    bulk: Bulk,
    loading: Loading,
) -> int:
    """Run a workflow; ``RUN_HELP`` says the rest."""
    told = BulkCommand(
        sources=sources,
        bulk=bulk,
        output=output,
        content_type=content_type,
        options={"until": until, "service-envelope": loading.service_envelope, "ts": loading.ts},
        is_inline=inline,
        engine=engine,
        is_verbose=verbose,
    )
    is_many = is_bulk(told, has_fields=bool(fields))
    parts = () if is_many else _one_input(told, fields)
    notice = Notice("loading ...", sys.stderr)
    path = _workflow(workflow, sources[0] if sources else None, fetching.workflow_store)
    words = {"handler": handler, "model_store": model_store, "until": until}
    request = _request(path, {**words, **loading.arguments(), **fetching.arguments(notice)})
    if is_many:
        from wfctl.cli.run_bulk import run_bulk

        return run_bulk(told, request, notice)
    from wfctl.service.deployment import Deployment

    deployment = Deployment(request, engines=engine.engines(inline=inline), on_output=partial(_show_line, notice))
    answer = _answer(deployment, parts, notice, is_inline=inline)
    if verbose:
        show_timings(answer)
    write_answer(answer, None if output is None else Path(output))
    return Exit.OK


def _request(path: Path | str, words: dict[str, Any]) -> "Request":
    from wfctl.service.options import request_for

    return request_for(path, cast("Options", words))


def _one_input(told: BulkCommand, fields: tuple[str, ...]) -> tuple["Part", ...]:
    told.bulk.refuse_for_one()
    parts = read_parts(told.sources[0] if told.sources else None, fields, told.content_type)
    if told.output is not None:
        expect_folder_of(Path(told.output))
    return parts


def _answer(deployment: "Deployment", parts: tuple["Part", ...], notice: Notice, *, is_inline: bool) -> "Answer":
    with ExitStack() as stack:
        if is_inline:
            show_logs()
            stack.enter_context(kept_for_the_answer())
        with shown_if_slow(notice):
            opened = stack.enter_context(deployment)
        show_differences(opened)
        return opened.predict_parts(parts) if is_inline else _answered_by_workers(opened, parts)


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
