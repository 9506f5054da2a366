"""A sheet of character cells that lines join on by themselves.

Invariant: knows cells, line arms and glyphs, and no graph. Lines along the drawing pass over lines across it; where
two of different owners meet, the one across is broken, so a junction and a crossing never look alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from wfctl.render.text import cells

# Directions a line leaves a cell in, added up. Plain numbers: there are hundreds of thousands of cells.
UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8


class Ink(Enum):
    """What a cell is, for colour; nothing is told by colour alone."""

    PLAIN = ""
    MODEL = "36"
    FAULT = "31"
    NAME = "1"
    DETAIL = "2"


_LIGHT = " ╵╷│╴╯╮┤╶╰╭├─┴┬┼"
_ASCII = " '.|-'.+-'.+-+++"
_DASHED = {UP | DOWN: ("┆", ":"), LEFT | RIGHT: ("┄", "~")}
_ARROWS = {DOWN: ("▼", "v"), UP: ("▲", "^"), RIGHT: ("▶", ">"), LEFT: ("◀", "<")}
# Arms with the two directions of the drawing exchanged: up and left, down and right.
_TURNED = tuple((arms >> 2) | (arms & 3) << 2 for arms in range(16))


@dataclass(slots=True)
class _Line:
    arms: int
    owner: object
    ink: Ink


class Canvas:
    """Cells by (column, row) of a drawing from top to bottom; ``is_turned`` exchanges the two when lines are drawn."""

    def __init__(self, *, is_turned: bool, is_ascii: bool) -> None:
        self._is_turned = is_turned
        self._is_ascii = is_ascii
        self._along: dict[tuple[int, int], _Line] = {}
        self._across: dict[tuple[int, int], _Line] = {}
        self._glyphs: dict[tuple[int, int], tuple[str, Ink]] = {}

    def _cell(self, column: int, row: int) -> tuple[int, int]:
        return (row, column) if self._is_turned else (column, row)

    def along(self, column: int, rows: tuple[int, int], owner: object, ink: Ink, *, ends: int = 0) -> None:
        """Draw a line along the drawing from the first of ``rows`` to the last; ``ends`` are arms beyond them."""
        start, end = rows
        for row in range(start, end + 1):
            arms = (UP if row > start else ends & UP) | (DOWN if row < end else ends & DOWN)
            self._join(self._along, self._cell(column, row), arms, owner, ink)

    def across(self, row: int, start: int, end: int, owner: object, ink: Ink) -> None:
        """Draw a line across the drawing from column ``start`` to column ``end``."""
        for column in range(start, end + 1):
            arms = (LEFT if column > start else 0) | (RIGHT if column < end else 0)
            self._join(self._across, self._cell(column, row), arms, owner, ink)

    def _join(
        self, lines: dict[tuple[int, int], _Line], cell: tuple[int, int], arms: int, owner: object, ink: Ink
    ) -> None:
        if self._is_turned:
            arms = _TURNED[arms]
        known = lines.get(cell)
        if known is None:
            lines[cell] = _Line(arms, owner, ink)
        else:
            known.arms |= arms

    def arrow(self, column: int, row: int, pointing: int, ink: Ink) -> None:
        """Put an arrowhead."""
        arm = _TURNED[pointing] if self._is_turned else pointing
        self._glyphs[self._cell(column, row)] = (_ARROWS[arm][self._is_ascii], ink)

    def put(self, x: int, y: int, text: str, ink: Ink) -> None:
        """Write text to the right from (x, y), as the reader sees it, whichever way lines are turned."""
        for offset, glyph in enumerate(cells(text)):
            self._glyphs[x + offset, y] = (glyph, ink)

    def rows(self, *, is_coloured: bool = False) -> list[str]:
        """Return the sheet as lines of text without trailing blanks."""
        sheet = {cell: self._line_glyph(cell) for cell in self._along.keys() | self._across.keys()} | self._glyphs
        if not sheet:
            return []
        left = min(x for x, _ in sheet)
        by_row: dict[int, dict[int, tuple[str, Ink]]] = {}
        for (x, y), glyph in sheet.items():
            by_row.setdefault(y, {})[x - left] = glyph
        join = _coloured if is_coloured else _plain
        return [join(by_row[y]) if y in by_row else "" for y in range(min(by_row), max(by_row) + 1)]

    def _line_glyph(self, cell: tuple[int, int]) -> tuple[str, Ink]:
        along, across = self._along.get(cell), self._across.get(cell)
        if along is None or across is None:
            line = along or across
            assert line is not None  # noqa: S101 - the cell came from one of the two
            return self._glyph(line.arms, line.ink), line.ink
        if along.owner != across.owner:
            return self._glyph(along.arms, along.ink), along.ink
        return self._glyph(along.arms | across.arms, along.ink), along.ink

    def _glyph(self, arms: int, ink: Ink) -> str:
        if ink is Ink.FAULT and arms in _DASHED:
            return _DASHED[arms][self._is_ascii]
        return (_ASCII if self._is_ascii else _LIGHT)[arms]


def _plain(row: Mapping[int, tuple[str, Ink]]) -> str:
    glyphs = [" "] * (max(row) + 1)
    for x, (glyph, _) in row.items():
        glyphs[x] = glyph
    return "".join(glyphs)


def _coloured(row: Mapping[int, tuple[str, Ink]]) -> str:
    parts: list[str] = []
    current = Ink.PLAIN
    for x in range(max(row) + 1):
        glyph, ink = row.get(x, (" ", Ink.PLAIN))
        if ink is not current:
            parts.append(f"\x1b[{';'.join(filter(None, ('0', ink.value)))}m")
            current = ink
        parts.append(glyph)
    if current is not Ink.PLAIN:
        parts.append("\x1b[0m")
    return "".join(parts)
