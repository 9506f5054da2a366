"""The drawing as JSON, for programs: nodes, edges, levels and, where it can be drawn, places.

Invariant: plain ASCII; every character that is not stands as a JSON escape, so no terminal is reprogrammed.
"""

import json

from wfctl.render.layers import BeyondDrawingError, Layers, layer
from wfctl.render.listing import levels
from wfctl.render.model import Drawing
from wfctl.render.plane import Box, spread_out
from wfctl.render.svg import NODE_LIMIT, size_of

FORMAT = 1


def render_json(drawing: Drawing, *, direction: str = "TB") -> str:
    """Return the drawing as the text of a JSON document."""
    boxes = _boxes(drawing, direction)
    level = levels(drawing)
    document = {
        "format": FORMAT,
        "title": drawing.title,
        "direction": direction,
        "nodes": [
            {
                "name": node.name,
                "kind": node.shape.value,
                "detail": node.detail,
                "fault": node.fault,
                "level": level[node.name],
                "box": boxes.get(index),
            }
            for index, node in enumerate(drawing.nodes)
        ],
        "edges": [{"source": edge.source, "target": edge.target, "fault": edge.fault} for edge in drawing.edges],
    }
    return json.dumps(document, indent=2) + "\n"


def _boxes(drawing: Drawing, direction: str) -> dict[int, dict[str, float]]:
    """Return the places of the SVG's boxes, or none for a graph beyond drawing."""
    if len(drawing.nodes) > NODE_LIMIT:
        return {}
    try:
        layers: Layers = layer(drawing)
    except BeyondDrawingError:
        return {}
    plane = spread_out(layers, [size_of(node) for node in drawing.nodes], is_turned=direction == "LR")
    return {index: _place(box) for index, box in plane.boxes.items()}


def _place(box: Box) -> dict[str, float]:
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
