"""The drawing of a workflow that is served, for the status page: a picture with room in each box for live numbers.

Pure, and for a large graph slow: to be made in a thread. Invariant: the picture is ours, escaped and without script;
names of nodes are told beside it as data.
"""

import json
import re

from wfctl.plan import ExecutionPlan
from wfctl.render.formats import Form, Paper, render
from wfctl.render.model import Drawing, DrawnEdge, DrawnNode, Shape
from wfctl.render.svg import describe
from wfctl.render.text import harmless
from wfctl.workflow import NodeKind

DIRECTIONS = ("LR", "TB")
_ROOM = " " * 18
"""What stands in the second line of each box: the page writes its numbers there."""
_SIZE = re.compile(r'<svg [^>]*width="(\d+)" height="(\d+)"')
_ORIGIN = re.compile(r'<g transform="translate\((\d+) (\d+)\)">')
_FRAME = re.compile(r'<rect class="frame" x="([0-9.e+-]+)" y="([0-9.e+-]+)" width="([0-9.e+-]+)" height="([0-9.e+-]+)"')


def drawing_of(plan: ExecutionPlan, title: str) -> Drawing:
    """Return the graph of a plan as the painters see it."""
    return Drawing(
        title=title,
        nodes=tuple(
            DrawnNode(
                name=node.name, shape=Shape.MODEL if node.kind is NodeKind.MODEL else Shape.FUNCTION, detail=_ROOM
            )
            for node in plan.nodes
        ),
        edges=tuple(DrawnEdge(source=node.name, target=child) for node in plan.nodes for child in node.children),
    )


def painted(plan: ExecutionPlan, title: str, direction: str) -> bytes:
    """Return the picture with its size and the places of its boxes, as JSON.

    There are no boxes where the graph is too large for a picture, and is a list.
    """
    drawing = drawing_of(plan, title)
    picture = render(drawing, Form.SVG, Paper(direction=direction))
    size, origin = _SIZE.search(picture), _ORIGIN.search(picture)
    # The painter draws one frame a node, in the order of the nodes; numbers in a name are escaped text, and no tag.
    frames = [[float(each) for each in found] for found in _FRAME.findall(picture)]
    dx, dy = (int(each) for each in origin.groups()) if origin else (0, 0)
    is_drawn = len(frames) == len(drawing.nodes)
    boxes = [
        {"node": node.name, "kind": node.shape.value, "x": x + dx, "y": y + dy, "width": width, "height": height}
        for node, (x, y, width, height) in zip(drawing.nodes, frames if is_drawn else (), strict=is_drawn)
    ]
    width, height = (int(each) for each in size.groups()) if size else (0, 0)
    told = {
        "direction": direction,
        "width": width,
        "height": height,
        "describes": harmless(describe(drawing)),
        "boxes": boxes,
        "svg": picture,
    }
    return json.dumps(told, separators=(",", ":")).encode()
