"""The drawing in the DOT language, for those who have Graphviz.

Invariant: names stand in quoted strings only, with quotes, backslashes and entities escaped.
"""

from wfctl.render.model import Drawing, DrawnNode, Shape
from wfctl.render.text import harmless

_STYLES = {
    Shape.MODEL: 'shape=box style="filled" fillcolor="#eaf2fc" color="#2b6cb0" peripheries=2',
    Shape.FUNCTION: 'shape=box style="rounded,filled" fillcolor="#f6f3ea" color="#8c7a4b"',
    Shape.UNKNOWN: 'shape=octagon style="dashed" color="#6b7785"',
}
_FAULT = 'color="#c22f2f" fontcolor="#a32020" penwidth=2'


def render_dot(drawing: Drawing, *, direction: str = "TB") -> str:
    """Return the drawing as the text of a DOT file."""
    ids = {node.name: f"n{index}" for index, node in enumerate(drawing.nodes)}
    lines = [
        f"digraph {_quoted([drawing.title])} {{",
        f'  graph [rankdir={direction} bgcolor="transparent"]',
        '  node [fontname="monospace" fontsize=12 margin="0.2,0.1"]',
        '  edge [color="#6b7785"]',
        *(f"  {ids[node.name]} [{_node(node)}]" for node in drawing.nodes),
        *(f"  {ids[edge.source]} -> {ids[edge.target]}{_edge(edge.fault)}" for edge in drawing.edges),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _node(node: DrawnNode) -> str:
    rows = [f"! {node.name}" if node.fault else node.name, node.detail, node.fault or ""]
    mark = f" {_FAULT}" if node.fault else ""
    return f"label={_quoted([row for row in rows if row])} {_STYLES[node.shape]}{mark}"


def _edge(fault: str | None) -> str:
    return f" [label={_quoted([f'! {fault}'])} style=dashed {_FAULT}]" if fault else ""


def _quoted(rows: list[str]) -> str:
    return '"' + r"\n".join(map(_escaped, rows)) + '"'


def _escaped(text: str) -> str:
    return harmless(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
