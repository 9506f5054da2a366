"""Findings about a user's input, as data.

Invariant: values only; nothing here prints, reads a file, or knows a rule. Code frames are drawn from
``SourceText`` when a report is printed; nothing is rendered ahead of time.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

_LINE_END = re.compile(r"\r\n|\n|\r")


class Severity(IntEnum):
    """How bad a finding is; errors and warnings fail a check, notes do not."""

    NOTE = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        """Name in reports: ``note``, ``warning`` or ``error``."""
        return self.name.lower()


@dataclass(frozen=True)
class SourceText:
    """One text the user wrote: what it is called in messages, and its characters (line ends as they are)."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def line_starts(self) -> Sequence[int]:
        r"""Offset of the first character of each line; ``\n``, ``\r\n`` and ``\r`` end a line.

        A byte order mark belongs to no line: editors do not count it as a column.
        """
        first = 1 if self.text.startswith("\ufeff") else 0
        starts = array("I", (first,))  # four bytes a line, for a hostile text has millions
        starts.extend(match.end() for match in _LINE_END.finditer(self.text))
        return starts

    def line(self, number: int) -> str:
        """Return line ``number`` (1-based) without its line end, or an empty string beyond the last."""
        starts = self.line_starts
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")

    def position(self, offset: int) -> "Position":
        """Return the place of the character at ``offset``; offsets beyond the text give its end."""
        found = self._positions.get(offset)
        return found or self._positions.setdefault(offset, self._count(offset))

    @cached_property
    def _positions(self) -> dict[int, "Position"]:
        # What draws a finding asks for its places again and again.
        return {}

    def _count(self, offset: int) -> "Position":
        offset = max(0, min(offset, len(self.text)))
        line = max(1, bisect_right(self.line_starts, offset))
        return Position(line=line, column=max(0, offset - self.line_starts[line - 1]) + 1, offset=offset)

    def span(self, start: int, end: int) -> "Span":
        """Return the span from offset ``start`` up to, not including, offset ``end``."""
        return Span(source=self, first=start, beyond=end)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """A place in a text; line and column count from 1 in characters, offset from 0."""

    line: int
    column: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of one source text, ``end`` exclusive; lines and columns are counted when they are asked for."""

    source: SourceText
    first: int
    beyond: int

    @property
    def start(self) -> Position:
        """Place of the first character."""
        return self.source.position(self.first)

    @property
    def end(self) -> Position:
        """Place behind the last character."""
        return self.source.position(self.beyond)

    def __str__(self) -> str:
        return f"{self.source.name}:{self.start.line}:{self.start.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A second place that belongs to a finding, and what is to be seen there."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A replacement of the characters of ``span``; an empty span inserts."""

    span: Span
    replacement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding."""

    code: str
    """Row of the catalog, such as ``WF301``."""
    severity: Severity
    message: str
    """What is wrong, in lower case, without a full stop, the user's words in double quotes."""
    span: Span | None = None
    """Where; ``None`` only where a finding has no place in a text (a missing file)."""
    label: str = ""
    """Short text beside the caret."""
    help: str | None = None
    """How to mend it."""
    notes: tuple[str, ...] = ()
    secondary: tuple[Label, ...] = ()
    fix: tuple[Edit, ...] = ()
    """A safe edit that removes the finding, or nothing."""
