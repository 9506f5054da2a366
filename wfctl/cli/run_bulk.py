"""``wfctl run`` on many inputs: from the words of the command to the last line that it says.

Invariant: answers go to the output and nowhere else; everything said goes to standard error.
"""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from wfctl.bulk.answer_folder import AnswerFolder
from wfctl.bulk.drive import Outcome
from wfctl.bulk.inputs import STDIN, Inputs, is_workflow
from wfctl.bulk.line_file import LineFile
from wfctl.bulk.progress import Progress
from wfctl.bulk.run import BUDGET, BulkRun, Job, Output
from wfctl.bulk.stream_output import StreamOutput
from wfctl.cli.bulk_display import Display, NoDisplay, display_for
from wfctl.cli.bulk_options import Bulk, BulkCommand, Window, is_bulk_output, is_folder
from wfctl.cli.bulk_rates import mean_batch
from wfctl.cli.console import answer, say
from wfctl.cli.exits import Exit
from wfctl.cli.notice import Notice, shown_if_slow
from wfctl.cli.printable import printable
from wfctl.cli.run_input import no_input
from wfctl.cli.run_output import expect_folder_of, kept_for_the_answer, show_differences, show_line, show_logs
from wfctl.cli.sizes import columns, human_size
from wfctl.errors import WfctlError
from wfctl.service.deployment import Deployment, OutputSink
from wfctl.service.own_process import only_handing_on
from wfctl.service.prepare import Prepared, Request, prepare
from wfctl.service.streaming import Streaming


def run_bulk(told: BulkCommand, request: Request, notice: Notice) -> Exit:
    """Run and return the exit code: 3 if an input failed, in this run or in the one that it continues."""
    _refuse_workflows(told.sources)
    if told.bulk.window is not None:
        told.engine.refuse_on_ray("--window", "Ray Data bounds what is on its way by the memory that it has")
    output = _output_of(told.output)
    run = BulkRun(_job(told, output))
    try:
        run.begin(only_looks=told.bulk.dry_run)
        if told.bulk.dry_run:
            return _say_what_would_run(run, told, output, request)
        if run.is_nothing_left():
            _examined(run, request)
            say("nothing is left to do")
            return _ended(run, output, told, failed=run.done[1])
        outcome = _driven(run, told, output, request, notice)
        if outcome.is_stopped:
            say(f"stopped after {_counted(outcome.failed, 'failure')}{_how_to_go_on(told, output)}")
        return _ended(run, output, told, failed=outcome.failed)
    except BrokenPipeError:
        return Exit.OK  # the reader of our answers left (``wfctl run ... | head``) and has what he wanted
    finally:
        run.close()


def _driven(run: BulkRun, told: BulkCommand, output: Output, request: Request, notice: Notice) -> Outcome:
    is_spoken_over = isinstance(output, StreamOutput) and output.is_terminal
    watch = _Watch(display_for(told.bulk.progress, is_spoken_over=is_spoken_over))
    deployment = _workflow(told, request, partial(_show_line, notice, watch), run.examine)
    try:
        with ExitStack() as stack:
            if told.is_inline:
                show_logs()
                stack.enter_context(kept_for_the_answer())
            with shown_if_slow(notice):
                stack.enter_context(deployment)
            if not told.is_inline:
                stack.enter_context(only_handing_on())
            show_differences(deployment)
            outcome = deployment.call(run.drive(deployment.engine, watch.update))
    except KeyboardInterrupt:
        watch.say_where(_how_to_go_on(told, output))
        raise
    except WfctlError as error:
        if watch.last is not None and error.hint is None:
            error.hint = _how_to_go_on(told, output).lstrip("; ") or None
        raise
    if told.is_verbose and watch.last is not None:
        _show_nodes(watch.last)
    return outcome


def _workflow(
    told: BulkCommand, request: Request, on_output: OutputSink, on_prepared: Callable[[Prepared], None]
) -> Deployment | Streaming:
    if told.engine.is_ray:
        told.engine.engines(inline=told.is_inline)  # refuses what contradicts itself
        return Streaming(request, ray_address=told.engine.ray_address, on_output=on_output, on_prepared=on_prepared)
    engines = told.engine.engines(inline=told.is_inline)
    return Deployment(request, engines=engines, on_output=on_output, on_prepared=on_prepared)


class _Watch:
    """Shows the progress and remembers how far it was."""

    def __init__(self, display: Display) -> None:
        self.display = display
        self.last: Progress | None = None

    def update(self, progress: Progress) -> None:
        """Take a moment of the run."""
        self.last = progress
        try:
            self.display.update(progress)
        except OSError:  # who watched has left, and the work goes on
            self.display = NoDisplay()

    def say_where(self, how_to_go_on: str) -> None:
        """Say how far an interrupted run came."""
        if self.last is not None:
            say(f"{_counted(self.last.done, 'input')} done{how_to_go_on}")


def _show_line(notice: Notice, watch: _Watch, node: str, stream: str, line: str) -> None:
    notice.end()
    watch.display.above(lambda: show_line(node, stream, line))


# Before


def _refuse_workflows(sources: tuple[str, ...]) -> None:
    for source in sources:
        if source != STDIN and is_workflow(source):
            raise no_input(source)
    if sources.count(STDIN) > 1:
        raise click.UsageError("standard input can be read once")


def _output_of(output: str | None) -> Output:
    if output is None:
        is_terminal = sys.stdout is not None and sys.stdout.isatty()
        return StreamOutput(None, shown=_for_eyes if is_terminal else None)
    path = Path(output)
    if is_folder(output):
        expect_folder_of(path)
        return AnswerFolder(path)
    if path.exists() and not path.is_file():
        return StreamOutput(path)
    if not is_bulk_output(output):
        raise click.UsageError(
            f'a run on many inputs writes lines or a folder, so "{output}" should end in .jsonl, or in / for a folder'
        )
    expect_folder_of(path)
    return LineFile(path)


def _for_eyes(lines: bytes) -> bytes:
    """Write what could play tricks on a terminal as the escapes of JSON; it can only stand in strings."""
    text = lines.decode()
    escaped = "".join(char if char.isprintable() or char in "\n\t" else json.dumps(char)[1:-1] for char in text)
    return escaped.encode(sys.stdout.encoding or "ascii", "backslashreplace")


def _job(told: BulkCommand, output: Output) -> Job:
    bulk, window = told.bulk, told.bulk.window or Window()
    form = bulk.form_given(told.content_type)
    return Job(
        inputs=Inputs(words=told.sources, form=form, content_type=told.content_type),
        output=output,
        options={**told.options, "format": None if form is None else form.value, "content-type": told.content_type},
        resumes=bulk.resumes,
        overwrites=bulk.overwrites,
        window=window.count,
        budget=window.budget or BUDGET,
        limit=bulk.limit,
        max_errors=bulk.last_error,
    )


def _examined(run: BulkRun, request: Request) -> Prepared:
    """Let the run see its workflow, of which nothing is started."""
    prepared = prepare(request)
    try:
        run.examine(prepared)
    finally:
        prepared.remove()
    return prepared


def _say_what_would_run(run: BulkRun, told: BulkCommand, output: Output, request: Request) -> Exit:
    prepared = _examined(run, request)
    count, found = run.count(), run.found
    inputs = "a stream of inputs" if count is None else _counted(count, "input")
    files = f"{_counted(found.files, 'file')}, {human_size(found.total_bytes)}"
    rows = [
        ("inputs", f"{inputs} ({files})"),
        ("workflow", f"{prepared.plan.workflow_name}: {', '.join(node.name for node in prepared.plan.nodes)}"),
        ("output", _where(output, run, told.bulk)),
        ("window", f"{run.window:,} inputs at work, {human_size(run.budget)} in memory"),
        ("on error", "stop" if told.bulk.last_error == 1 else _until(told.bulk.max_errors)),
    ]
    answer("\n".join(columns([(name, printable(text, keep="")) for name, text in rows], is_first_right=False)))
    return Exit.OK


def _where(output: Output, run: BulkRun, bulk: Bulk) -> str:
    if isinstance(output, StreamOutput):
        return "standard output" if output.target is None else str(output.target)
    if not output.exists():
        return f"{output.path}, new"
    if not bulk.resumes:
        return f"{output.path}, overwritten"
    done = f"behind {_counted(run.done[0], 'line')}" if isinstance(output, LineFile) else "what has no file yet"
    return f"{output.path}, continued {done}"


def _until(max_errors: int | None) -> str:
    return "keep" if max_errors is None else f"keep, and stop at failure {max_errors:,}"


# Afterwards


def _ended(run: BulkRun, output: Output, told: BulkCommand, *, failed: int) -> Exit:
    done = run.total_done
    if isinstance(output, StreamOutput):
        what, where = _counted(done, "input"), ""
    else:
        failed = run.end()
        what = f"{_counted(done, 'line' if isinstance(output, LineFile) else 'answer')} in {output.path}"
        where = f" ({output.failures_path})" if failed else ""
    if told.bulk.progress not in {"json", "none"}:
        say(f"{what}: {_of(done, failed)}{where}")
    return Exit.HANDLER if failed else Exit.OK


def _of(done: int, failed: int) -> str:
    if not done:
        return "nothing to answer"
    return f"{done - failed:,} answered, {failed:,} failed" if failed else "all answered"


def _how_to_go_on(told: BulkCommand, output: Output) -> str:
    if isinstance(output, StreamOutput) or Inputs(words=told.sources).is_stream:
        return ""
    return f'; the same command with --resume goes on with "{output.path}"'


def _counted(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def _show_nodes(progress: Progress) -> None:
    rows = [("node", "done", "failed", "batches", "calls a batch")]
    for node in progress.nodes:
        mean = mean_batch(node)
        calls = "-" if mean is None else f"{mean:.1f}"
        rows.append((node.node, f"{node.done:,}", f"{node.failed:,}", f"{node.batches:,}", calls))
    for line in columns(rows, is_first_right=False):
        say(line)
