"""The form for people: each finding with the lines it is about.

Invariant: styled text; who prints it decides whether the colours stay.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from wfctl.cli.printable import printable
from wfctl.cli.reporters.cells import wrap
from wfctl.cli.reporters.frame import GUTTER_COLOUR, Mark, draw, last_line
from wfctl.cli.reporters.interface import Verdict
from wfctl.diagnostics.model import Diagnostic, Severity, SourceText

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_SECONDARY_COLOUR = "blue"
_WIDTH_WITHOUT_TERMINAL = 120


@dataclass(frozen=True, slots=True)
class FullReporter:
    """Code frames with carets, causes and help."""

    width: int | None = None
    """Columns of the terminal; ``None`` without one: then texts are not wrapped and long lines are cut at 120."""
    mends: str = "--fix"
    """What a user types to have the safe edits made."""

    def render(self, verdicts: Sequence[Verdict]) -> str:
        """Return one block for each finding, an empty line after each."""
        blocks = (self._block(verdict.path, found) for verdict in verdicts for found in verdict.report)
        return "".join(f"{block}\n\n" for block in blocks)

    def _block(self, path: str, found: Diagnostic) -> str:
        marks = _marks(found)
        gutter = max((len(str(last_line(group))) for group in marks.values()), default=1)
        lines = list(_headline(found, self.width))
        if not marks:
            lines.append(f"{_pale(' ' * gutter + '-->')} {printable(path, keep='')}")
        for index, group in enumerate(marks.values()):
            arrow = "-->" if index == 0 else ":::"
            lines.extend([_pale(f"{'':>{gutter}} |")] if index else [])
            lines.append(f"{_pale(' ' * gutter + arrow)} {printable(str(group[0].span), keep='')}")
            lines.append(_pale(f"{'':>{gutter}} |"))
            width = self.width or _WIDTH_WITHOUT_TERMINAL
            lines.extend(draw(group, gutter=gutter, width=width, wraps=self.width is not None))
        if marks and (found.help or found.notes or found.fix):
            lines.append(_pale(f"{'':>{gutter}} |"))
        lines.extend(self._footer(found, gutter))
        return "\n".join(lines)

    def _footer(self, found: Diagnostic, gutter: int) -> Iterator[str]:
        mended = f"{self.mends} does this" if found.fix else ""
        if found.help:
            yield from self._remark("help", f"{found.help} ({mended})" if mended else found.help, gutter)
        elif mended:
            yield from self._remark("help", mended, gutter)
        for note in found.notes:
            yield from self._remark("note", note, gutter)

    def _remark(self, word: str, text: str, gutter: int) -> Iterator[str]:
        indent = gutter + len(f" = {word}: ")
        lead = f"{_pale(' ' * gutter + ' =')} {click.style(word, bold=True)}: "
        for line in printable(text).splitlines():
            for part in wrap(line, None if self.width is None else self.width - indent):
                yield lead + part
                lead = " " * indent


def _headline(found: Diagnostic, width: int | None) -> Iterator[str]:
    title = f"{found.severity.word}[{found.code}]: "
    lead = click.style(title[:-2], fg=COLOURS[found.severity], bold=True) + click.style(": ", bold=True)
    for line in wrap(printable(found.message, keep=""), width and width - len(title)):
        yield lead + click.style(line, bold=True)
        lead = " " * len(title)


def _pale(text: str) -> str:
    return click.style(text, fg=GUTTER_COLOUR, bold=True)


def _marks(found: Diagnostic) -> dict[SourceText, list[Mark]]:
    """Return the places of a finding by their texts, the one of the finding itself first."""
    marks: dict[SourceText, list[Mark]] = {}
    if found.span:
        own = Mark(span=found.span, text=found.label, sign="^", colour=COLOURS[found.severity])
        marks[found.span.source] = [own]
    for label in found.secondary:
        mark = Mark(span=label.span, text=label.text, sign="-", colour=_SECONDARY_COLOUR)
        marks.setdefault(label.span.source, []).append(mark)
    return marks
