"""What ``wfctl run`` shows: the answer, the times of the nodes, the lines that handlers print.

Invariant: standard output carries the answer and nothing else.
"""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wfctl.cli.console import OutputError, say, say_styled, writing_the_answer
from wfctl.cli.printable import printable
from wfctl.errors import UnreadableInputError, WfctlError
from wfctl.replace_file import replace_file
from wfctl.service.answer import Answer

if TYPE_CHECKING:
    from wfctl.service.deployment import Deployment
    from wfctl.service.streaming import Streaming


class BinaryAnswerError(WfctlError):
    """An answer that is not text would reach a terminal."""

    code = "binary-answer"


def expect_folder_of(target: Path) -> None:
    """Refuse an answer's file that could not be made, before anything runs."""
    if not target.parent.is_dir():
        raise UnreadableInputError(f'cannot write "{target}": there is no folder "{target.parent}"')


def write_answer(answer: Answer, target: Path | None) -> None:
    """Write the answer to ``target`` or standard output: as it is, but readable where a person reads it."""
    if target is not None:
        replace_file(target, answer.body)
        say(f"wrote {len(answer.body)} bytes to {target}")
        return
    if sys.stdout is None:
        raise OutputError("standard output is closed", hint="write the answer to a file with -o FILE")
    with writing_the_answer():
        if sys.stdout.isatty():
            click.echo(_for_eyes(answer.body))
        else:
            sys.stdout.buffer.write(answer.body)
            sys.stdout.buffer.flush()


def _for_eyes(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BinaryAnswerError(
            f"the answer is {len(body)} bytes that are not text", hint="write it to a file with -o FILE, or pipe it"
        ) from error
    with contextlib.suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return printable(text, keep="\n\t")


@contextlib.contextmanager
def kept_for_the_answer() -> Iterator[None]:
    """Send to standard error what handlers in this process write past Python: C code, programs that they start."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()  # what was written past the node's own stream, and is held back
        if os.name == "posix":
            from ctypes import CDLL

            CDLL(None).fflush(None)  # what C holds back would come out at the exit, behind the answer
        os.dup2(kept, 1)
        os.close(kept)


def show_line(node: str, stream: str, line: str) -> None:
    """Write a line that a handler printed, its node's name in front."""
    mark = click.style(f"[{printable(node, keep='')}]", fg="yellow" if stream == "stderr" else "blue")
    say_styled(f"{mark} {printable(line, keep=chr(9))}")


class _AsPrinted(logging.Handler):
    """Prints what is logged: while a node's code runs, standard output is that node's, else it is the answer's."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        stream = sys.stderr if sys.stdout is sys.__stdout__ else sys.stdout
        print(self.format(record), file=stream)


def show_logs() -> None:
    """Show what handlers of an inline run log, from the level that workers show."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, handlers=[_AsPrinted()])


def show_timings(answer: Answer) -> None:
    """Write one line a node: attempts, and the time in the queue, in the handler, on the way, and in all."""
    width = max([4, *(len(timing.node) for timing in answer.timings)])
    head = f"{'node':<{width}}  attempts     waiting     handler      travel       total"
    say_styled(click.style(head, bold=True))
    for timing in answer.timings:
        travel_s = timing.sent_s + timing.returned_s
        seconds = (timing.queued_s, timing.ran_s, travel_s, timing.total_s)
        say(f"{timing.node:<{width}}  {timing.attempts:8d}" + "".join(f"{_readable(each):>12}" for each in seconds))


def _readable(seconds: float) -> str:
    """Return a time in the unit that suits it; less than a microsecond is nothing."""
    if seconds < 1e-6:  # noqa: PLR2004 - microseconds, as the sentence above says
        return "-"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.2f} ms"


def show_differences(deployment: "Deployment | Streaming") -> None:
    """Say how the run differs from what the archives ask for, a line each."""
    from wfctl.diagnostics.catalog import RULES

    for found in deployment.report:
        if RULES[found.code].at_run:
            say(f"{found.severity.word}: {found.message} [{found.code}]")
    for sentence in deployment.limits:
        say(f"note: {sentence}")
