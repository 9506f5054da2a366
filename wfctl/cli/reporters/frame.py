"""Draws the lines of one source text with marks under what a finding is about.

Invariant: pure; a caret stands under the first cell of its character. Colours are put in and stripped elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import click

from wfctl.cli.printable import printable
from wfctl.cli.reporters.cells import Shown, cell_width, show, wrap
from wfctl.diagnostics.model import Span

GUTTER_COLOUR = "blue"
# Of a span over more lines than these, the middle is left out.
_LINES_AT_START, _LINES_AT_END = 3, 2
_NARROWEST = 30
"""Cells that the text of a mark gets at least, also at the right end of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One place to point at."""

    span: Span
    text: str
    sign: str
    """``^`` for what the finding is about, ``-`` for what belongs to it."""
    colour: str

    @property
    def first(self) -> int:
        """The first line of the mark."""
        return self.span.start.line

    @property
    def last(self) -> int:
        """The last line that holds a character of the mark, so not a line before whose first column it ends."""
        end = self.span.end
        return end.line - 1 if end.column == 1 and end.line > self.first else end.line

    @property
    def is_long(self) -> bool:
        """Whether the mark spans lines."""
        return self.last > self.first

    @property
    def last_column(self) -> int:
        """Column after the last marked character, on the line ``last``."""
        if self.last == self.span.end.line:
            return self.span.end.column
        return len(self.span.source.line(self.last)) + 1

    def paint(self, text: str) -> str:
        """Return ``text`` in the colour of the mark."""
        return click.style(text, fg=self.colour, bold=True) if text.strip() else text


def last_line(marks: Iterable[Mark]) -> int:
    """Return the highest line number a frame around ``marks`` shows."""
    return max(mark.last for mark in marks)


def draw(marks: Sequence[Mark], *, gutter: int, width: int, wraps: bool = False) -> Iterator[str]:
    """Yield the lines of a frame around ``marks``, all in one text; ``gutter`` is the width of the line numbers.

    With ``wraps`` the texts of the marks keep to ``width`` too; without it only the lines of the source do.
    """
    rail = next((mark for mark in marks if mark.is_long), None)
    room = max(width - gutter - 3 - (2 if rail else 0), 20)
    source = marks[0].span.source
    previous = 0
    for number in _wanted(marks, rail):
        if previous and number > previous + 1:
            yield _margin(gutter, "...") + ("  " + rail.paint("|") if rail and _inside(rail, previous) else "")
        previous = number
        here = [mark for mark in marks if mark is not rail and mark.first == number]
        shown = show(source.line(number), focus=_focus(here, rail, number), width=room)
        lead, after = _rail(rail, number, shown) if rail else ("", [])
        yield (_margin(gutter, f"{number:>{gutter}} |") + f" {lead}{shown.text}").rstrip()
        blank = _margin(gutter, f"{'':>{gutter}} |") + " "
        between = _rail_between(rail, number)
        yield from ((blank + between + row).rstrip() for row in _rows(here, shown, room if wraps else None))
        yield from ((blank + row).rstrip() for row in after)


def _margin(gutter: int, text: str) -> str:
    return click.style(text.ljust(gutter), fg=GUTTER_COLOUR, bold=True)


def _wanted(marks: Sequence[Mark], rail: Mark | None) -> list[int]:
    """Return the lines to show; a single line between two of them is shown too, it is no longer than its omission."""
    wanted = {mark.first for mark in marks}
    if rail:
        wanted.update(range(rail.first, min(rail.first + _LINES_AT_START, rail.last)))
        wanted.update(range(max(rail.first, rail.last - _LINES_AT_END + 1), rail.last + 1))
    for low, high in pairwise(sorted(wanted)):
        if high == low + 2:  # exactly one line between
            wanted.add(low + 1)
    return sorted(wanted)


def _focus(here: Sequence[Mark], rail: Mark | None, number: int) -> int:
    """Return the index of the character that a cut line must keep."""
    for mark in sorted(here, key=lambda mark: mark.sign != "^"):
        return mark.span.start.column - 1
    if rail and number == rail.first:
        return rail.span.start.column - 1
    if rail and number == rail.last:
        return rail.last_column - 1
    return 0


# --- marks within one line --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A mark on one shown line, in cells."""

    mark: Mark
    start: int
    end: int

    @property
    def line(self) -> str:
        return self.mark.paint(self.mark.sign * (self.end - self.start))


def _rows(marks: Sequence[Mark], shown: Shown, room: int | None) -> Iterator[str]:
    """Yield the rows under a line: strokes side by side share a row, overlapping ones get rows of their own."""
    waiting = sorted(
        (_stroke(mark, shown) for mark in marks), key=lambda stroke: (stroke.mark.sign != "^", stroke.start)
    )
    while waiting:
        row: list[_Stroke] = []
        for stroke in waiting:
            if all(stroke.end <= other.start or other.end <= stroke.start for other in row):
                row.append(stroke)
        waiting = [stroke for stroke in waiting if stroke not in row]
        yield from _row(sorted(row, key=lambda stroke: stroke.start), room)


def _stroke(mark: Mark, shown: Shown) -> _Stroke:
    start = shown.cell(mark.span.start.column - 1)
    if mark.is_long:
        return _Stroke(mark, start, max(shown.width, start + 1))
    return _Stroke(mark, start, max(shown.cell(mark.span.end.column - 1), start + 1))


def _row(row: Sequence[_Stroke], room: int | None) -> Iterator[str]:
    """Yield one row of strokes; the last one's text stands beside it if it fits, the others' texts hang below."""
    last = row[-1]
    text = _text(last.mark)
    fits = room is None or last.end + 1 + cell_width(text) <= room
    strokes = _place([(stroke.start, stroke.end - stroke.start, stroke.line) for stroke in row])
    yield f"{strokes} {last.mark.paint(text)}" if text and fits else strokes
    hanging = [stroke for stroke in row if _text(stroke.mark) and not (fits and stroke is last)]
    while hanging:
        bars = [(stroke.start, 1, stroke.mark.paint("|")) for stroke in hanging]
        yield _place(bars)
        yield from _hung(hanging.pop(), bars[:-1], room)


def _hung(stroke: _Stroke, bars: Sequence[tuple[int, int, str]], room: int | None) -> Iterator[str]:
    """Yield the text of a stroke below it, moved to the left where it would not fit."""
    free = bars[-1][0] + 2 if bars else 0
    lines = list(wrap(_text(stroke.mark), room and max(room - stroke.start, _NARROWEST)))
    left = stroke.start if room is None else max(free, min(stroke.start, room - max(map(cell_width, lines))))
    yield from (_place([*bars, (left, 0, stroke.mark.paint(line))]) for line in lines)


def _text(mark: Mark) -> str:
    text = printable(mark.text, keep="")
    return f"{text} (to line {mark.last})".strip() if mark.is_long else text


def _place(pieces: Iterable[tuple[int, int, str]]) -> str:
    """Join pieces given as cell, width and styled text, from left to right."""
    at = 0
    out = ""
    for cell, width, text in pieces:
        out += " " * (cell - at) + text
        at = cell + width
    return out


# --- one mark over several lines --------------------------------------------------------------------------------


def _inside(rail: Mark, number: int) -> bool:
    return rail.first <= number < rail.last


def _rail(rail: Mark, number: int, shown: Shown) -> tuple[str, list[str]]:
    """Return what stands before a line, and the rows after it that open or close the rail."""
    bar = rail.paint("|") + " "
    if number == rail.first:
        column = rail.span.start.column - 1
        if not rail.span.source.line(number)[:column].strip():
            return rail.paint("/") + " ", []
        return "  ", [" " + rail.paint("_" * (shown.cell(column) + 1) + "^")]
    if number == rail.last:
        end = max(shown.cell(rail.last_column - 1) - 1, 0)
        text = printable(rail.text, keep="")
        return bar, [rail.paint("|" + "_" * (end + 1) + "^" + (f" {text}" if text else ""))]
    return (bar if _inside(rail, number) else "  "), []


def _rail_between(rail: Mark | None, number: int) -> str:
    if rail is None:
        return ""
    return rail.paint("|") + " " if _inside(rail, number) else "  "
