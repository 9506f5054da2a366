"""What the command line says of downloads: the options that allow them, and how far they have come.

Invariant: nothing is fetched here; on a terminal the progress is part of the line that vanishes.
"""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wfctl.cli.console import say, terminal_width
from wfctl.cli.notice import Notice
from wfctl.cli.options import cache_folder, environment_allowed, gathered, workflow_store_option
from wfctl.cli.printable import printable
from wfctl.cli.sizes import human_size
from wfctl.errors import FetchError

if TYPE_CHECKING:
    from wfctl.store.policy import Progress

_BETWEEN_S = 0.1
"""Between two changes of the line."""
_USUAL_WIDTH = 80
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """What a command was told of archives that are not here."""

    workflow_store: Path | None
    allowed: tuple[str, ...]
    is_trusted: bool
    sha256: str | None

    def arguments(self, notice: Notice) -> dict[str, Any]:
        """Return the part of it for ``open_deployment``; progress is told in ``notice``."""
        return {
            "workflow_store": self.workflow_store,
            "allowed_urls": (*self.allowed, *_allowed_by_environment()),
            "trust": self.is_trusted,
            "sha256": self.sha256,
            "cache": cache_folder(),
            "on_fetch": FetchTeller(notice, is_watched=sys.stderr is not None and sys.stderr.isatty()),
        }


def _allowed_by_environment() -> tuple[str, ...]:
    patterns = environment_allowed()
    fault = _fault(patterns)
    if fault is not None:
        raise click.UsageError(f"WFCTL_ALLOWED_URLS: {printable(fault, keep='')}")
    return patterns


def _patterns(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    del ctx, param
    fault = _fault(value)
    if fault is not None:
        raise click.BadParameter(fault)
    return value


def _fault(patterns: tuple[str, ...]) -> str | None:
    """Say why one of these allows nothing, ``None`` if all of them do."""
    if not patterns:
        return None
    from wfctl.store.allow import parse_allowed  # only where one is given; most runs fetch nothing

    try:
        parse_allowed(patterns)
    except FetchError as error:
        return f"{error.message}; {error.hint}"
    return None


def _digest(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    del ctx, param
    if value is not None and not _DIGEST.fullmatch(value):
        raise click.BadParameter("it is not 64 hexadecimal digits")
    return value


fetch_options = gathered(
    "fetching",
    Fetching,
    workflow_store_option,
    click.option(
        "--allow-url",
        "allowed",
        multiple=True,
        metavar="PATTERN",
        callback=_patterns,
        help="Allow to fetch from here: the beginning of a url, a host, or re: and a regular expression; "
        "repeatable. WFCTL_ALLOWED_URLS adds more, with commas between.",
    ),
    click.option("--trust", "is_trusted", is_flag=True, help="Run what was fetched although no digest pins it."),
    click.option(
        "--sha256",
        metavar="DIGEST",
        callback=_digest,
        help="The digest that the workflow's archive must have; a url may end in #sha256=DIGEST instead.",
    ),
)
"""Adds what a command that may fetch must be told; it gets all of it as ``fetching``."""


class FetchTeller:
    """Tells how far downloads have come: in the notice on a terminal, else one line for each that is done."""

    def __init__(self, notice: Notice, *, is_watched: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._notice = notice
        self._is_watched = is_watched
        self._clock = clock
        self._last = -_BETWEEN_S

    def __call__(self, progress: "Progress") -> None:
        """Take one report; called in the thread that fetches."""
        if progress.is_done:
            self._notice.change("loading ...")
            if not self._is_watched:
                say(f"fetched {progress.url} ({human_size(progress.received)})")
        elif self._clock() - self._last >= _BETWEEN_S:
            self._last = self._clock()
            self._notice.change(told(progress, terminal_width(sys.stderr) or _USUAL_WIDTH))


def told(progress: "Progress", width: int) -> str:
    """Return one line that fits: the url cut short where need be, bytes, total and rate."""
    size = human_size(progress.received)
    whole = "" if progress.total is None else f" of {human_size(progress.total)}"
    rate = f", {human_size(round(progress.received / progress.elapsed_s))}/s" if progress.elapsed_s > 0 else ""
    end = f" {size}{whole}{rate}"
    url = f"fetching {printable(progress.url, keep='')}"
    room = width - 1 - len(end)
    return (url if len(url) <= room else f"{url[: max(0, room - 3)]}...") + end
