"""The form of ``wfctl check-compat`` for people: a table for each archive, and a line about all.

Invariant: styled and printable text; who prints it decides whether the colours stay.
"""

from collections.abc import Iterator, Sequence

import click

from wfctl.cli.compat_places import place_of
from wfctl.cli.printable import printable
from wfctl.cli.reporters.cells import cell_width, wrap
from wfctl.cli.reporters.full import COLOURS
from wfctl.cli.reporters.summary import counted
from wfctl.compat.model import Judged, Row, Verdict

_VERDICT_COLOURS = {Verdict.SAME: "green", Verdict.DIFFERS: "yellow", Verdict.UNSUPPORTED: "red"}
_INDENT, _GAP = "  ", "  "
_NARROWEST = 40
"""Cells that a sentence gets on any terminal."""
_NODES_SHOWN = 2


def lines(judged: Sequence[Judged], width: int | None) -> Iterator[str]:
    """Yield the lines; ``width`` is that of the terminal, if there is one."""
    for each in judged:
        yield f"{click.style(_safe(each.path), bold=True)}: {_verdict(each.verdict)}"
        if each.error:
            yield from _refusal(each, width)
        yield from _table(each, width)
    yield _total(judged)


def _verdict(verdict: Verdict) -> str:
    return click.style(verdict.value, fg=_VERDICT_COLOURS[verdict], bold=True)


def _refusal(judged: Judged, width: int | None) -> Iterator[str]:
    error = judged.error
    if error is not None:
        yield from _hanging(f"{_INDENT}{error.code}{_GAP}", _safe(error.message), width)
        if error.hint:
            yield from _hanging(" " * len(f"{_INDENT}{error.code}{_GAP}"), f"-> {_safe(error.hint)}", width)


def _table(judged: Judged, width: int | None) -> Iterator[str]:
    cells = [(_nodes(row), row.finding.code, _place(row, judged)) for row in judged.rows]
    widths = [max(map(cell_width, column)) for column in zip(*cells, strict=True)]
    for row, texts in zip(judged.rows, cells, strict=True):
        padded = [text + " " * (size - cell_width(text)) for text, size in zip(texts, widths, strict=True)]
        padded[1] = click.style(padded[1], fg=COLOURS[row.finding.severity])
        lead = _INDENT + "".join(text + _GAP for text in padded)
        yield from _hanging(lead, _safe(row.finding.message), width)
        yield from _hanging(" " * cell_width(click.unstyle(lead)), f"-> {_safe(row.finding.help or '')}", width)


def _hanging(lead: str, text: str, width: int | None) -> Iterator[str]:
    """Set ``text`` behind ``lead``, and what does not fit in a line below it."""
    taken = cell_width(click.unstyle(lead))
    for line in wrap(text, width and max(width - taken, _NARROWEST)):
        yield lead + line
        lead = " " * taken


def _nodes(row: Row) -> str:
    shown = ", ".join(_safe(node) for node in row.nodes[:_NODES_SHOWN])
    more = len(row.nodes) - _NODES_SHOWN
    return f"{shown} +{more}" if more > 0 else shown or "-"


def _place(row: Row, judged: Judged) -> str:
    place = place_of(row, judged)
    more = f" (+{row.count - 1})" if row.count > 1 else ""
    return f"{_safe(place[0])}:{place[1]}{more}" if place else f"-{more}"


def _total(judged: Sequence[Judged]) -> str:
    numbers = {verdict: sum(each.verdict is verdict for each in judged) for verdict in Verdict}
    same, differ, unsupported = (numbers[verdict] for verdict in Verdict)
    return (
        f"{counted(len(judged), 'archive')}: {same} {'runs as it is' if same == 1 else 'run as they are'},"
        f" {differ} {'differs' if differ == 1 else 'differ'},"
        f" {unsupported} {'is' if unsupported == 1 else 'are'} not supported"
    )


def _safe(text: str) -> str:
    return printable(text, keep="")
