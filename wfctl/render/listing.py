"""The plain list that stands where a picture cannot, and the lines that tell the faults.

Invariant: one line a node, levels in order; every line is at most as wide as asked for.
"""

from collections.abc import Iterator
from textwrap import wrap

from wfctl.render.model import Drawing, DrawnNode
from wfctl.render.ranks import assign_ranks, backward_edges
from wfctl.render.text import clip, harmless, plain

_FAULTS_SHOWN = 20


def levels(drawing: Drawing) -> dict[str, int]:
    """Return the level of every node, edges against the stream left out."""
    number = {node.name: index for index, node in enumerate(drawing.nodes)}
    ends = [(number[edge.source], number[edge.target]) for edge in drawing.edges if edge.source != edge.target]
    back = backward_edges(len(number), ends)
    laid = dict.fromkeys((b, a) if (a, b) in back else (a, b) for a, b in ends)
    ranks = assign_ranks(len(number), list(laid))
    return {node.name: rank for node, rank in zip(drawing.nodes, ranks, strict=True)}


def listing(drawing: Drawing, reason: str, *, width: int = 100, is_ascii: bool = False) -> list[str]:
    """Return the graph as lines of text, headed by the reason why it is no picture."""
    arrow, mark, shown = ("->", "...", plain) if is_ascii else ("→", "…", harmless)
    children: dict[str, list[str]] = {node.name: [] for node in drawing.nodes}
    for edge in drawing.edges:
        children[edge.source].append(f"{shown(edge.target)}{' (!)' if edge.fault else ''}")
    lines = wrap(reason, width)
    for level, nodes in _by_level(drawing):
        lines += ["", f"level {level + 1}"]
        for node in nodes:
            text = f"  {_title(node, shown(node.name))}"
            if children[node.name]:
                text += f" {arrow} {', '.join(children[node.name])}"
            lines.append(clip(text, width, mark))
    faults = fault_lines(drawing, is_ascii=is_ascii, width=width)
    return [*lines, *([""] if faults else []), *faults]


def _by_level(drawing: Drawing) -> Iterator[tuple[int, list[DrawnNode]]]:
    grouped: dict[int, list[DrawnNode]] = {}
    level = levels(drawing)
    for node in drawing.nodes:
        grouped.setdefault(level[node.name], []).append(node)
    yield from sorted(grouped.items())


def _title(node: DrawnNode, name: str) -> str:
    return f"{'! ' if node.fault else ''}{name} ({node.shape.value})"


def fault_lines(drawing: Drawing, *, is_ascii: bool, width: int) -> list[str]:
    """Return one line for each marked node and edge, shortened where there are very many."""
    arrow, mark, shown = ("->", "...", plain) if is_ascii else ("→", "…", harmless)
    lines = [f"! {shown(node.name)}: {shown(node.fault)}" for node in drawing.nodes if node.fault]
    lines += [
        f"! {shown(edge.source)} {arrow} {shown(edge.target)}: {shown(edge.fault)}"
        for edge in drawing.edges
        if edge.fault
    ]
    if len(lines) > _FAULTS_SHOWN:
        lines = [*lines[: _FAULTS_SHOWN - 1], f"! and {len(lines) - _FAULTS_SHOWN + 1} more"]
    return [clip(line, width, mark) for line in lines]
