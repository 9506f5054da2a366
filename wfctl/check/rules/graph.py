"""Rules about the shape of the graph: circles, loops, repetitions, entries, islands."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from wfctl.check.subject import Subject
from wfctl.check.wording import listed, quoted
from wfctl.dag.circles import circles
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Edit, Label, Span
from wfctl.spec.model import Target

_LABELS = 100
_NAMES_SHOWN = 12
_BETWEEN_ITEMS = re.compile(r"[ \t]*,[ \t]*")
_BLOCK_ITEM = re.compile(r"[ \t]*-[ \t]+")


def cyclic_edge(subject: Subject) -> Iterator[Diagnostic]:
    """Report each circle with all its edges."""
    places: Mapping[tuple[str, str], Span] = {}
    for circle in circles(subject.dag):
        places = places or _edges(subject)
        edges = [*pairwise(circle), (circle[-1], circle[0])]
        yield find(
            "WF301",
            f"these nodes wait for each other for ever: {_way(circle)}",
            places[edges[-1]],
            label="closes the circle",
            help="remove one of these edges",
            secondary=tuple(
                Label(span=places[edge], text=f"{quoted(edge[0])} feeds into {quoted(edge[1])}")
                for edge in edges[:-1][:_LABELS]
            ),
        )


def self_loop(subject: Subject) -> Iterator[Diagnostic]:
    """Report each edge from a node to itself."""
    for entry in subject.spec.dag:
        for target in entry.targets:
            if target.name == entry.name:
                yield find(
                    "WF302",
                    f"{quoted(entry.name)} feeds into itself, so it waits for itself for ever",
                    target.span,
                    help="remove this edge",
                )


def repeated_edge(subject: Subject) -> Iterator[Diagnostic]:
    """Report each edge that stands in its list already."""
    for entry in subject.spec.dag:
        first: dict[str, Target] = {}
        for index, target in enumerate(entry.targets):
            earlier = first.setdefault(target.name, target)
            if earlier is not target:
                yield find(
                    "WF303",
                    f"{quoted(entry.name)} feeds into {quoted(target.name)} already",
                    target.span,
                    help="remove the repetition; a node gets each parent's answer once",
                    secondary=(Label(span=earlier.span, text="stands here first"),),
                    fix=_removal(entry.targets[index - 1], target),
                )


def several_entries(subject: Subject) -> Iterator[Diagnostic]:
    """Report once that the graph around the first entry has more entries."""
    if subject.spec.extension.allows_many_entries or not subject.is_whole:
        return
    entries = [name for name in subject.mended.entries if name in subject.parts[0]]
    if len(entries) > 1:
        yield find(
            "WF305",
            f"the dag has {len(entries)} entries, nodes that nothing feeds: {listed(entries)}",
            subject.places[entries[1]],
            label="a second entry",
            help='feed them from one node, or allow it: "wfctl: {entries: many}"',
            secondary=tuple(
                Label(span=subject.places[name], text="an entry") for name in (entries[0], *entries[2:_LABELS])
            ),
        )


def unreachable_node(subject: Subject) -> Iterator[Diagnostic]:
    """Report each part of the dag that has no connection with the entry, at its first node."""
    start = subject.mended.entries[:1]
    if subject.spec.extension.allows_many_entries or not subject.is_whole or not start:
        return
    for part in subject.parts[1:]:
        names = sorted(part, key=lambda name: subject.places[name].first)
        rest = f", and with it {listed(names[1:])}" if len(names) > 1 else ""
        yield find(
            "WF306",
            f"no way leads from the entry {quoted(start[0])} to {quoted(names[0])}{rest}",
            subject.places[names[0]],
            help='feed it from a node, remove it, or allow several entries: "wfctl: {entries: many}"',
        )


def _edges(subject: Subject) -> Mapping[tuple[str, str], Span]:
    places: dict[tuple[str, str], Span] = {}
    for entry in subject.spec.dag:
        for target in entry.targets:
            places.setdefault((entry.name, target.name), target.span)
    return places


def _way(circle: tuple[str, ...]) -> str:
    names = [quoted(name)[1:-1] for name in (*circle, circle[0])]
    if len(names) > _NAMES_SHOWN:
        half = _NAMES_SHOWN // 2
        names = [*names[:half], f"({len(names) - 2 * half} more)", *names[-half:]]
    return " -> ".join(names)


def _removal(before: Target, target: Target) -> tuple[Edit, ...]:
    """Return the edit that takes ``target`` out of its list, only where nothing but it can be hit."""
    source, text = target.span.source, target.span.source.text
    start, end = target.span.first, target.span.beyond
    if text[start:end] not in {target.name, f'"{target.name}"', f"'{target.name}'"}:
        return ()  # an alias, an anchor, or an escape
    gap = before.span.beyond
    if _BETWEEN_ITEMS.fullmatch(text, gap, start):
        return (Edit(span=source.span(gap, end), replacement=""),)
    line = target.span.start.line
    line_start = source.line_starts[line - 1]
    if before.span.end.line < line < len(source.line_starts) and _BLOCK_ITEM.fullmatch(text, line_start, start):
        next_line = source.line_starts[line]
        if not text[end:next_line].strip():
            return (Edit(span=source.span(line_start, next_line), replacement=""),)
    return ()
