"""What the command line says of bulk runs: the options, and when a run is one.

A run is a bulk run if INPUT or OUTPUT says so: several INPUTs, a folder, a pattern, ``.jsonl``, ``.csv``, ``--each``,
``--format``; an output that is a folder or ``.jsonl``. Invariant: values only; nothing is read here.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wfctl.cli.engine_choice import EngineChoice
from wfctl.cli.options import gathered

if TYPE_CHECKING:
    from wfctl.bulk.item import Form

_WINDOW = re.compile(r"(?:(?P<count>\d+)(?:,|$))?(?:(?P<size>\d+(?:\.\d+)?)(?P<unit>[kMG])i?B?)?", re.IGNORECASE)
_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}
_ONLY_BULK = ("window", "on_error", "max_errors", "limit", "resumes", "overwrites", "dry_run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How much may be at work and in memory; ``None`` is for the defaults."""

    count: int | None = None
    budget: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """What a command was told of a bulk run."""

    each: bool
    form: str | None
    window: Window | None
    on_error: str | None
    max_errors: int | None
    limit: int | None
    resumes: bool
    overwrites: bool
    dry_run: bool
    progress: str

    @property
    def last_error(self) -> int | None:
        """The failure that ends the run."""
        return 1 if self.on_error == "stop" else self.max_errors

    def form_given(self, content_type: str | None) -> "Form | None":
        """Return how every file is read, ``None`` if each name tells; raises ``UsageError`` for contradictions."""
        from wfctl.bulk.item import Form

        self._refuse_contradictions()
        form = Form.ELEMENTS if self.each else None if self.form is None else Form(self.form)
        if content_type is None:
            return form
        if form not in {None, Form.WHOLE}:
            raise click.UsageError("--content-type belongs to files that are one input each; records are JSON")
        return Form.WHOLE

    def _refuse_contradictions(self) -> None:
        pairs = {
            "--each or --format": self.each and self.form is not None,
            "--on-error stop or --max-errors": self.on_error == "stop" and self.max_errors is not None,
            "--resume or --overwrite": self.resumes and self.overwrites,
        }
        for pair, are_both in pairs.items():
            if are_both:
                raise click.UsageError(f"give either {pair}, not both")

    def refuse_for_one(self) -> None:
        """Raise ``UsageError`` for what only a bulk run knows."""
        named = {"resumes": "resume", "overwrites": "overwrite"}
        for name in _ONLY_BULK:
            if getattr(self, name):
                option = f"--{named.get(name, name).replace('_', '-')}"
                raise click.UsageError(
                    f"{option} belongs to a run on many inputs, and this is one; "
                    "-o FILE.jsonl or -o FOLDER/ makes a bulk run of it"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkCommand:
    """What ``wfctl run`` was told, as far as a bulk run wants to know it."""

    sources: tuple[str, ...]
    bulk: Bulk
    output: str | None
    content_type: str | None
    options: dict[str, Any]
    """What decides the answers besides inputs and workflow."""
    is_inline: bool
    engine: EngineChoice
    is_verbose: bool


def is_bulk(told: BulkCommand, *, has_fields: bool) -> bool:
    """Whether a run is on many inputs, or on one as if it were many; raises ``UsageError`` for contradictions."""
    from wfctl.bulk.inputs import STDIN, form_of, is_pattern, is_workflow
    from wfctl.bulk.item import Form

    form = told.bulk.form_given(told.content_type)
    if has_fields and len(told.sources) > 1:
        raise click.UsageError("give either INPUT or -i fields, not both")
    if has_fields and told.content_type is None and form is not None:
        raise click.UsageError("--each and --format belong to INPUT, not to -i fields")
    if has_fields or not told.sources:
        return False
    if len(told.sources) > 1 or told.bulk.dry_run or form not in {None, Form.WHOLE} or is_bulk_output(told.output):
        return True
    (source,) = told.sources
    if source == STDIN or is_workflow(source):
        return False
    return os.path.isdir(source) or is_pattern(source) or (form or form_of(source)) is not Form.WHOLE  # noqa: PTH112


def is_bulk_output(output: str | None) -> bool:
    """Whether an output is a folder, or a file of lines."""
    from wfctl.bulk.inputs import LINE_ENDINGS

    return output is not None and (is_folder(output) or Path(output).suffix.lower() in LINE_ENDINGS)


def is_folder(output: str) -> bool:
    """Whether an output is a folder, or shall become one."""
    return output.endswith(os.sep) or os.path.isdir(output)  # noqa: PTH112


def _window(ctx: click.Context, param: click.Parameter, value: str | None) -> Window | None:
    del ctx, param
    if value is None:
        return None
    found = _WINDOW.fullmatch(value)
    if not value or found is None or found["count"] == "0" or value.endswith(","):
        raise click.BadParameter(f'it is a number of inputs, a size, or both: 256, 64M, or 256,64M, and not "{value}"')
    budget = None if found["size"] is None else max(1, int(float(found["size"]) * _UNITS[found["unit"].lower()]))
    return Window(count=None if found["count"] is None else int(found["count"]), budget=budget)


def _option(*names: str, **more: Any) -> Any:
    return click.option(*names, **more)


bulk_options = gathered(
    "bulk",
    Bulk,
    _option("--each", is_flag=True, help="Run on each element of the JSON array that INPUT is."),
    _option(
        "--format",
        "form",
        type=click.Choice(["jsonl", "csv", "whole"]),
        help="What INPUT is, where its name does not tell: lines, rows, or one input; standard input becomes a stream.",
    ),
    _option("--limit", type=click.IntRange(min=1), metavar="N", help="Run on the first N inputs only."),
    _option(
        "--on-error",
        type=click.Choice(["keep", "stop"]),
        help="Go on after a failed input (keep, the default), or end with it.",
    ),
    _option("--max-errors", type=click.IntRange(min=1), metavar="N", help="End with the Nth failure of this run."),
    _option("--resume", "resumes", is_flag=True, help="Continue the run that OUTPUT is of, or begin it."),
    _option("--overwrite", "overwrites", is_flag=True, help="Begin anew where OUTPUT exists."),
    _option(
        "--window",
        callback=_window,
        metavar="N[,SIZE]",
        help="At most N inputs at work, and SIZE bytes of inputs, and of answers, in memory (64M); "
        "without N as many as keep the workers busy.",
    ),
    _option("--dry-run", is_flag=True, help="Say what would run, and run nothing."),
    _option(
        "--progress",
        type=click.Choice(["auto", "plain", "json", "none"]),
        default="auto",
        show_default=True,
        help="On standard error; auto: a live display on a terminal, else plain lines.",
    ),
)
"""Adds what a command must be told of bulk runs; it gets all of it as ``bulk``."""
