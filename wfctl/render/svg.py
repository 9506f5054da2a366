"""The drawing as one SVG file: light and dark, readable without colour, named for screen readers.

Invariant: self-contained; no script, no font and no picture is loaded, and every name is escaped.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil

from wfctl.render.layers import BeyondDrawingError, layer
from wfctl.render.listing import listing
from wfctl.render.model import Drawing, DrawnEdge, DrawnNode, Shape
from wfctl.render.plane import CORNER, Box, Plane, Point, spread_out
from wfctl.render.svg_lines import loop, route
from wfctl.render.svg_style import DETAIL_COLUMN, NAME_COLUMN, stylesheet
from wfctl.render.text import clip, columns, harmless

NODE_LIMIT = 3_000
LINES_SHOWN = 500
NAME_LIMIT, DETAIL_LIMIT = 40, 60
_MARGIN = 24
_LINE = 18
_NAMED = 'role="img" aria-labelledby="wf-title wf-desc"'
_CORNER = 10
_TOLD = 60
"""Edges told in the description; beyond it only their number is."""


def render_svg(drawing: Drawing, *, direction: str = "TB") -> str:
    """Return the picture as the text of an SVG file."""
    if len(drawing.nodes) > NODE_LIMIT:
        return _listed(drawing, f"not drawn: {len(drawing.nodes)} nodes are too many for a picture")
    try:
        layers = layer(drawing)
    except BeyondDrawingError as reason:
        return _listed(drawing, f"not drawn: {reason}")
    sizes = [size_of(node) for node in drawing.nodes]
    plane = spread_out(layers, sizes, is_turned=direction == "LR")
    box_of = {node.name: plane.boxes[index] for index, node in enumerate(drawing.nodes)}
    body = [
        *(line for index, edge in enumerate(drawing.edges) for line in _edge(index, edge, box_of[edge.source], plane)),
        *(line for node in drawing.nodes for line in _node(node, box_of[node.name])),
    ]
    return _document(drawing, plane.width, plane.height, body)


def _document(drawing: Drawing, width: float, height: float, body: Sequence[str]) -> str:
    wide, high = ceil(width) + 2 * _MARGIN, ceil(height) + 2 * _MARGIN
    size = f'width="{wide}" height="{high}"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {wide} {high}" {_NAMED}>',
            f'<title id="wf-title">{_text(drawing.title)}</title>',
            f'<desc id="wf-desc">{_text(describe(drawing))}</desc>',
            f"<style>{stylesheet()}</style>",
            f'<rect class="paper" {size} rx="8"/>',
            f'<g transform="translate({_MARGIN} {_MARGIN})">',
            *body,
            "</g>",
            "</svg>",
            "",
        )
    )


def describe(drawing: Drawing) -> str:
    """Return the graph as a sentence, for those who cannot see it."""
    counts = f"{len(drawing.nodes)} nodes, {len(drawing.edges)} edges"
    faults = sum(node.fault is not None for node in drawing.nodes) + sum(e.fault is not None for e in drawing.edges)
    told = ", ".join(f"{edge.source} to {edge.target}" for edge in drawing.edges[:_TOLD])
    rest = f" and {len(drawing.edges) - _TOLD} more" if len(drawing.edges) > _TOLD else ""
    return f"{counts}{f', {faults} marked as faulty' if faults else ''}: {told}{rest}"


def _text(text: str) -> str:
    return escape(harmless(text))


def _rows(node: DrawnNode) -> list[tuple[str, str]]:
    """Return the lines of text in a box with their classes."""
    rows = [("name", clip(harmless(node.name), NAME_LIMIT))]
    if node.detail:
        rows.append(("detail", clip(harmless(node.detail), DETAIL_LIMIT)))
    if node.fault:
        rows.append(("reason", clip(harmless(node.fault), DETAIL_LIMIT)))
    return rows


def size_of(node: DrawnNode) -> tuple[int, int]:
    """Return width and height of a node's box, its text measured generously."""
    rows = _rows(node)
    text = max(columns(line) * (NAME_COLUMN if kind == "name" else DETAIL_COLUMN) for kind, line in rows)
    return (max(ceil(text) + 36, 84), 24 + _LINE * len(rows))


def _node(node: DrawnNode, box: Box) -> Iterator[str]:
    told = " · ".join(filter(None, (node.shape.value, node.detail, node.fault)))
    yield f'<g class="node {node.shape.value}{" fault" if node.fault else ""}">'
    yield f"<title>{_text(node.name)} ({_text(told)})</title>"
    yield from _frame(node.shape, box)
    rows = _rows(node)
    x, middle = box.centre
    if node.shape is Shape.MODEL:
        x += 3
    for number, (kind, line) in enumerate(rows):
        y = middle + _LINE * (number - (len(rows) - 1) / 2) + (5 if kind == "name" else 4)
        yield f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(line)}</text>'
    if node.fault:
        yield from _badge((box.x + box.width, box.y))
    yield "</g>"


def _frame(shape: Shape, box: Box) -> Iterator[str]:
    place = f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"'
    match shape:
        case Shape.MODEL:
            yield f'<rect class="frame" {place} rx="2"/>'
            yield f'<rect class="stripe" x="{box.x:g}" y="{box.y:g}" width="6" height="{box.height:g}"/>'
        case Shape.FUNCTION:
            yield f'<rect class="frame" {place} rx="{CORNER}"/>'
        case Shape.UNKNOWN:
            inner_x, inner_y = box.width - 2 * _CORNER, box.height - 2 * _CORNER
            yield (
                f'<path class="frame" d="M{box.x + _CORNER:g} {box.y:g}h{inner_x:g}l{_CORNER} {_CORNER}v{inner_y:g}'
                f'l-{_CORNER} {_CORNER}h-{inner_x:g}l-{_CORNER} -{_CORNER}v-{inner_y:g}z"/>'
            )


def _badge(at: Point) -> Iterator[str]:
    yield f'<circle class="badge" cx="{at[0]:g}" cy="{at[1]:g}" r="9"/>'
    yield f'<text class="sign" x="{at[0]:g}" y="{at[1] + 4:g}">!</text>'


def _edge(index: int, edge: DrawnEdge, box: Box, plane: Plane) -> Iterator[str]:
    yield f'<g class="link{" fault" if edge.fault else ""}">'
    why = f" ({_text(edge.fault)})" if edge.fault else ""
    yield f"<title>{_text(edge.source)} → {_text(edge.target)}{why}</title>"
    way = plane.routes.get(index)
    drawn = loop(box, is_turned=plane.is_turned) if way is None else route(way.points, is_turned=plane.is_turned)
    yield f'<path class="edge" d="{drawn.line}"/>'
    yield f'<path class="head" d="{drawn.head}"/>'
    if edge.fault:
        yield from _badge(drawn.middle)
    yield "</g>"


def _listed(drawing: Drawing, reason: str) -> str:
    """Return the plain list as a file of text."""
    lines = listing(drawing, reason, width=120)
    if len(lines) > LINES_SHOWN:
        lines = [*lines[:LINES_SHOWN], f"and {len(lines) - LINES_SHOWN} lines more"]
    body = [
        f'<text class="plain detail" x="0" y="{_LINE * number + _LINE:g}">{escape(line)}</text>'
        for number, line in enumerate(lines)
        if line
    ]
    widest = max(map(columns, lines)) * NAME_COLUMN
    return _document(drawing, widest, _LINE * len(lines) + _LINE, body)
