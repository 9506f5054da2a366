"""The drawing as a Mermaid flowchart, for Markdown that is shown as a page.

Invariant: every character of a name that is not a letter, a digit or harmless between quotes is written as an entity.
"""

from wfctl.render.model import Drawing, DrawnNode, Shape
from wfctl.render.text import harmless

_BRACKETS = {Shape.MODEL: ("[[", "]]"), Shape.FUNCTION: ("([", "])"), Shape.UNKNOWN: ("{{", "}}")}
_HARMLESS = frozenset(" _-.:,/+=()…·→")
_FAULT = "stroke:#c22f2f,stroke-width:2px,stroke-dasharray:6 4"


def render_mermaid(drawing: Drawing, *, direction: str = "TB") -> str:
    """Return the drawing as the text of a flowchart."""
    ids = {node.name: f"n{index}" for index, node in enumerate(drawing.nodes)}
    lines = [
        f"flowchart {direction}",
        f"  accTitle: {_entities(drawing.title)}",
        *(f"  {ids[node.name]}{_box(node)}" for node in drawing.nodes),
        *(f"  {ids[edge.source]} {_arrow(edge.fault)} {ids[edge.target]}" for edge in drawing.edges),
    ]
    faulty = [ids[node.name] for node in drawing.nodes if node.fault]
    if faulty:
        lines += [f"  classDef fault {_FAULT}", f"  class {','.join(faulty)} fault"]
    red = [str(index) for index, edge in enumerate(drawing.edges) if edge.fault]
    if red:
        lines.append(f"  linkStyle {','.join(red)} stroke:#c22f2f")
    return "\n".join(lines) + "\n"


def render_markdown(drawing: Drawing, *, direction: str = "TB") -> str:
    """Return the flowchart in a fenced block of Markdown."""
    return f"```mermaid\n{render_mermaid(drawing, direction=direction)}```\n"


def _box(node: DrawnNode) -> str:
    rows = filter(None, (f"! {node.name}" if node.fault else node.name, node.detail, node.fault))
    opening, closing = _BRACKETS[node.shape]
    return f'{opening}"{"<br/>".join(map(_entities, rows))}"{closing}'


def _arrow(fault: str | None) -> str:
    return f'-. "! {_entities(fault)}" .->' if fault else "-->"


def _entities(text: str) -> str:
    return "".join(char if char.isalnum() or char in _HARMLESS else f"#{ord(char)};" for char in harmless(text))
