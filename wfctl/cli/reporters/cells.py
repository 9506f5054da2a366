"""How wide text is on a terminal: a caret must stand under its character whatever stands before it.

Invariant: what is shown holds no control character; each is written as an escape, and its width is counted so.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from wfctl.cli.printable import printable

TAB_CELLS = 4
_CUT = "..."
_BOM = "\ufeff"
"""Stands before the first line of many files, and nobody means it; elsewhere it is just as invisible."""
# Characters that join the one before them and take no room: marks, and the inner letters of Korean syllables.
_JOINING = {"Mn", "Me"}
_HANGUL_INNER = range(0x1160, 0x1200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A line as a terminal shows it, cut to what fits."""

    text: str
    first: int
    """Index of the first character that is shown."""
    cells: tuple[int, ...]
    """Cell at which each shown character starts, then the cell after the last."""
    width: int
    """Cells in all, the marks of a cut included."""

    def cell(self, index: int) -> int:
        """Return the cell of character ``index``; a place that was cut off gives the mark of the cut."""
        if index < self.first:
            return 0
        return self.cells[min(index - self.first, len(self.cells) - 1)]


def cell_width(text: str) -> int:
    """Return how many cells printable ``text`` takes."""
    return len(text) if text.isascii() else sum(map(_char_cells, text))


def show(line: str, *, focus: int, width: int) -> Shown:
    """Return ``line`` as it is shown in at most ``width`` cells, cut around the character at index ``focus``."""
    low = max(0, focus - width) if len(line) > width else 0
    high = min(len(line), focus + width) if len(line) > width else len(line)
    pieces = [_piece(char) for char in line[low:high]]
    cells = _cells(pieces)
    if low == 0 and high == len(line) and cells[-1] <= width:
        return Shown(text="".join(pieces), first=0, cells=tuple(cells), width=cells[-1])
    start, stop = _window(cells, focus - low, width - 2 * len(_CUT))
    head = _CUT if low + start > 0 else ""
    tail = _CUT if low + stop < len(line) else ""
    shift = len(head) - cells[start]
    text = head + "".join(pieces[start:stop]) + tail
    kept = tuple(cell + shift for cell in cells[start : stop + 1])
    return Shown(text=text, first=low + start, cells=kept, width=kept[-1] + len(tail))


def wrap(text: str, width: int | None) -> Iterator[str]:
    """Break ``text`` at spaces; a word that is too long stands alone."""
    if width is None or cell_width(text) <= width:
        yield text
        return
    line = ""
    for word in text.split(" "):
        if line and cell_width(line) + 1 + cell_width(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _window(cells: list[int], focus: int, room: int) -> tuple[int, int]:
    """Choose the characters to keep: a third of the room before the focus, unless one end has less to show."""
    focus = min(focus, len(cells) - 1)
    left = max(0, min(cells[focus] - room // 3, cells[-1] - room))
    left = 0 if left <= len(_CUT) else left  # the sign of the cut takes as much
    start = next(index for index, cell in enumerate(cells) if cell >= left)
    while start < focus and start + 1 < len(cells) and cells[start] == cells[start + 1]:
        start += 1  # a joining mark would hang on to the sign of the cut
    start = min(start, focus)
    stop = start
    while stop < len(cells) - 1 and cells[stop + 1] - cells[start] <= room:
        stop += 1
    return start, stop


def _piece(char: str) -> str:
    if char == _BOM:
        return ""
    if char == "\t":
        return " " * TAB_CELLS
    return char if char.isprintable() else printable(char, keep="")


def _cells(pieces: list[str]) -> list[int]:
    cells = [0]
    for piece in pieces:
        cells.append(cells[-1] + cell_width(piece))
    return cells


def _char_cells(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.category(char) in _JOINING or ord(char) in _HANGUL_INNER:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
