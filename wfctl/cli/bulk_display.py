"""How a bulk run is shown on standard error: a live table on a terminal, plain lines, lines of JSON, or nothing.

Invariant: answers never pass here. A live table vanishes before anything else is said, and is drawn again below it.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TextIO

import click

from wfctl.bulk.progress import Progress
from wfctl.cli.bulk_rates import Rates
from wfctl.cli.options import colour_choice, is_dumb_terminal
from wfctl.render.text import clip, columns, harmless

_FIRST_PLAIN_S, _LONGEST_PLAIN_S = 1.0, 30.0
_JSON_S = 1.0
_BETWEEN_S = 0.1
_BAR, _ROOM, _TEXT = 40, 10, 60
"""Columns of the bar, at most and at least, and of the text beside it, so that the bar keeps its length."""
_WIDE = (("done", 10), ("queue", 6), ("batch", 6), ("rate", 9), ("errors", 6))
_NARROW = (("done", 9), ("queue", 5), ("rate", 8), ("errors", 6))
"""Numbers of a row and their columns; a narrow terminal does without the size of batches."""
_NAME = 6
"""Columns that a name should have at least; a terminal that has fewer is narrow."""
_USUAL = os.terminal_size((80, 24))


class Display(Protocol):
    """One way to show a run."""

    def update(self, progress: Progress) -> None:
        """Take a moment of the run, the last one included."""

    def above(self, say: Callable[[], None]) -> None:
        """Say something else on standard error."""


def display_for(choice: str, *, is_spoken_over: bool) -> Display:
    """Return the display that was asked for; ``is_spoken_over`` says that answers go to the same terminal."""
    if choice == "auto":
        is_live = sys.stderr is not None and sys.stderr.isatty() and not is_dumb_terminal()
        choice = "plain" if not is_live else "none" if is_spoken_over else "live"
    match choice:
        case "live":
            return LiveDisplay(sys.stderr)
        case "plain":
            return PlainDisplay()
        case "json":
            return JsonDisplay()
        case _:
            return NoDisplay()


class NoDisplay:
    """Shows nothing."""

    def update(self, progress: Progress) -> None:
        """Do nothing."""

    def above(self, say: Callable[[], None]) -> None:
        """Say it."""
        say()


class PlainDisplay(NoDisplay):
    """Says a line now and then: soon at first, then seldom."""

    def __init__(self) -> None:
        self._rates = Rates()
        self._next_s = _FIRST_PLAIN_S

    def update(self, progress: Progress) -> None:
        """Say a line if it is time for one."""
        self._rates.note(progress)
        if not progress.is_last and progress.elapsed_s >= self._next_s:
            self._next_s = progress.elapsed_s + min(_LONGEST_PLAIN_S, progress.elapsed_s)
            click.echo(f"{summary(progress, self._rates)}{_waiting_most(progress, self._rates)}", err=True)


class JsonDisplay(NoDisplay):
    """Says an object a second, for programs."""

    def __init__(self) -> None:
        self._rates = Rates()
        self._next_s = 0.0

    def update(self, progress: Progress) -> None:
        """Say an object if it is time for one; the last moment is always said."""
        self._rates.note(progress)
        if progress.is_last or progress.elapsed_s >= self._next_s:
            self._next_s = progress.elapsed_s + _JSON_S
            click.echo(json.dumps(_told(progress, self._rates)), err=True)


def _told(progress: Progress, rates: Rates) -> dict[str, object]:
    left_s = rates.left_s
    return {
        "event": "end" if progress.is_last else "progress",
        "elapsed_s": round(progress.elapsed_s, 3),
        "done": progress.done,
        "failed": progress.failed,
        "done_before": progress.done_before,
        "total": progress.total,
        "total_is_estimate": progress.is_estimate,
        "rate": round(rates.inputs, 2),
        "left_s": None if left_s is None else round(left_s, 1),
        "nodes": [
            {
                "node": node.node,
                "done": node.done,
                "queued": node.queued,
                "running": node.running,
                "batch": _rounded(rates.batch_of_node(index)),
                "rate": round(rates.of_node(index), 2),
                "errors": node.failed,
            }
            for index, node in enumerate(progress.nodes)
        ],
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 2)


class LiveDisplay:
    """A table that is drawn over itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rates = Rates()
        self._lock = threading.Lock()
        self._drawn: list[int] = []
        """The columns of each line that stands there."""
        self._drawn_at = 0.0
        self._last: list[str] = []
        self._has_blocks = _can_write(stream, "━─…")
        self._has_colour = colour_choice() is not False

    def update(self, progress: Progress) -> None:
        """Draw the table anew; after the last moment nothing of it is left."""
        self._rates.note(progress)
        with self._lock:
            self._last = [] if progress.is_last else self._table(progress, _size_of(self._stream))
            self._draw(self._last)

    def above(self, say: Callable[[], None]) -> None:
        """Say something where the table is; the table is drawn below it, though not for each of many lines."""
        with self._lock:
            self._draw([])
            say()
            if time.monotonic() - self._drawn_at > _BETWEEN_S:
                self._draw(self._last)

    def _draw(self, lines: list[str]) -> None:
        if not lines and not self._drawn:
            return
        # One write: a terminal must not show the half of it.
        back = f"\x1b[{self._height()}F" if self._drawn else ""
        self._stream.write(f"{back}\x1b[J" + "".join(f"{line}\n" for line in lines))
        self._stream.flush()
        self._drawn = [columns(click.unstyle(line)) for line in lines]
        if lines:
            self._drawn_at = time.monotonic()

    def _height(self) -> int:
        """Return how many lines the table fills now: a terminal that was made narrower has broken some in two."""
        width = _size_of(self._stream).columns
        return sum(max(1, -(-length // width)) for length in self._drawn)

    def _table(self, progress: Progress, size: os.terminal_size) -> list[str]:
        width = size.columns - 1
        first = self._bar(progress, width)
        room = max(1, size.lines - 3 - len(first))
        rows = [_row(progress, self._rates, index) for index in range(len(progress.nodes))]
        hidden = len(rows) - room if len(rows) > room else 0
        numbers = _WIDE if width - _room_of(_WIDE) >= _NAME else _NARROW
        name_width = max([4, *(columns(row["node"]) for row in rows)])
        name_width = max(4, min(name_width, width - _room_of(numbers)))
        head = _set({name: name for name in ("node", *dict(numbers))}, name_width, numbers)
        lines = [*first, self._painted(clip(head, width), bold=True)]
        for row, node in zip(rows[:room], progress.nodes, strict=False):
            text = clip(_set(row, name_width, numbers), width)
            lines.append(self._painted(text, fg="red") if node.failed else text)
        if hidden:
            lines.append(clip(f"and {hidden} more", width))
        return lines

    def _bar(self, progress: Progress, width: int) -> list[str]:
        text = summary(progress, self._rates)
        length = min(_BAR, width - max(_TEXT, columns(text)) - 1)
        if not progress.total or length < _ROOM:
            return _wrapped(text, width)
        filled = min(length, length * progress.done // progress.total)
        full, empty = ("━", "─") if self._has_blocks else ("#", "-")
        return [f"{self._painted(full * filled, fg='green')}{empty * (length - filled)} {text}"]

    def _painted(self, text: str, *, fg: str | None = None, bold: bool | None = None) -> str:
        return click.style(text, fg=fg, bold=bold) if self._has_colour and text else text


def summary(progress: Progress, rates: Rates) -> str:
    """Return one line: how far, how fast, how long still."""
    parts = [f"{progress.done:,} done"]
    if progress.total is not None:
        about = "about " if progress.is_estimate else ""
        share = 100 * progress.done // progress.total if progress.total else 100
        parts = [f"{progress.done:,} of {about}{progress.total:,} ({min(100, share)}%)"]
    parts.append(rate(rates.inputs))
    left_s = rates.left_s
    parts.append(f"{clock(progress.elapsed_s)} so far" if left_s is None else f"{clock(left_s)} left")
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    return ", ".join(parts)


def _waiting_most(progress: Progress, rates: Rates) -> str:
    """Return where most calls wait; empty if none do."""
    index, node = max(enumerate(progress.nodes), key=lambda pair: pair[1].queued)
    batch = rates.batch_of_node(index)
    if not node.queued or batch is None:
        return ""
    return f'; {node.queued:,} wait for "{harmless(node.node)}" (batches of {batch:.1f})'


def _row(progress: Progress, rates: Rates, index: int) -> dict[str, str]:
    node = progress.nodes[index]
    batch = rates.batch_of_node(index)
    return {
        "node": harmless(node.node),
        "done": f"{node.done:,}",
        "queue": f"{node.queued:,}",
        "batch": "-" if batch is None else f"{batch:.1f}",
        "rate": rate(rates.of_node(index)),
        "errors": f"{node.failed:,}",
    }


def _room_of(numbers: Sequence[tuple[str, int]]) -> int:
    return sum(1 + room for _, room in numbers)


def _set(row: Mapping[str, str], name_width: int, numbers: Sequence[tuple[str, int]]) -> str:
    name = clip(row["node"], name_width)
    padded = name + " " * (name_width - columns(name))
    return f"{padded}{''.join(f' {row[number]:>{room}}' for number, room in numbers)}"


def _wrapped(text: str, width: int) -> list[str]:
    """Break a summary between its parts, so that a narrow terminal shows all of it."""
    lines: list[str] = []
    for part in text.split(", "):
        if lines and columns(lines[-1]) + columns(part) + 3 <= width:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return [clip(line + ("," if line is not lines[-1] else ""), width) for line in lines]


def rate(per_second: float) -> str:
    """Return a rate with as many digits as matter."""
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"  # noqa: PLR2004


def clock(seconds: float) -> str:
    """Return seconds as minutes, or hours and minutes."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _can_write(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _size_of(stream: TextIO) -> os.terminal_size:
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return _USUAL
    return size if size.columns and size.lines else _USUAL
