"""Rows in order, the same difference once.

Invariant: pure; the same rows give the same order.
"""

from collections.abc import Iterable
from dataclasses import replace

from wfctl.compat.model import Row


def merged(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Join rows that say the same, keep the first place of each, and put the worst first."""
    found: dict[tuple[str, str], Row] = {}
    for row in sorted(rows, key=_place):
        key = (row.finding.code, row.finding.message)
        known = found.get(key)
        if known is None:
            found[key] = row
        else:
            nodes = tuple(dict.fromkeys((*known.nodes, *row.nodes)))
            found[key] = replace(known, nodes=nodes, count=known.count + row.count)
    return tuple(sorted(found.values(), key=lambda row: (-row.finding.severity, *_place(row))))


def _place(row: Row) -> tuple[str, str, int, str]:
    span = row.finding.span
    where = ("", 0) if span is None else (span.source.name, span.first)
    return (row.finding.code, *where, row.finding.message)
