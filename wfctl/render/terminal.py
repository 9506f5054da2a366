"""The drawing as characters: boxes, arrows, layers and branches, as wide as the terminal allows.

What does not fit one way is tried the other way round, then with shortened names, and is listed at last.
Invariant: the text holds no control character but line ends (and colour codes, if asked for).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wfctl.render.canvas import Canvas
from wfctl.render.channel import bundles
from wfctl.render.grid import Extent, Grid, Pitch, lay, least_across, least_along, ports
from wfctl.render.layers import BeyondDrawingError, Layers, layer
from wfctl.render.listing import fault_lines, listing
from wfctl.render.model import Drawing, DrawnNode
from wfctl.render.paint import Painter
from wfctl.render.text import clip, columns, harmless, plain

DOWNWARD = Pitch(port=2, inset=2, gap=3, bend_gap=2, lead=0, track=1, tail=1)
RIGHTWARD = Pitch(port=1, inset=1, gap=1, bend_gap=1, lead=2, track=2, tail=2)
LOOP_ROOM = 3
"""Columns beside a box that an edge to itself takes."""
NODE_LIMIT = 3_000
"""Boxes beyond which nobody follows the lines on a terminal."""
CELL_LIMIT = 1_000_000
"""Cells of a picture beyond which the same holds, however wide the terminal says it is."""
_FULL, _SHORT = 32, 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to draw."""

    is_turned: bool
    """From left to right instead of from top to bottom."""
    is_ascii: bool
    name_limit: int = _FULL
    has_details: bool = True

    @property
    def pitch(self) -> Pitch:
        """Distances of this direction."""
        return RIGHTWARD if self.is_turned else DOWNWARD

    def lines(self, node: DrawnNode) -> tuple[str, ...]:
        """Return what stands in a box."""
        shown = plain if self.is_ascii else harmless
        name = clip(shown(node.name), self.name_limit, "..." if self.is_ascii else "…")
        name = f"! {name}" if node.fault else name
        return (name, shown(node.detail)) if self.has_details and node.detail else (name,)


def render_terminal(
    drawing: Drawing,
    *,
    width: int = 100,
    direction: str = "TB",
    is_ascii: bool = False,
    is_coloured: bool = False,
) -> str:
    """Return the picture as text that ends in a line end."""
    try:
        rows = _picture(drawing, width, direction, is_ascii=is_ascii, is_coloured=is_coloured)
    except BeyondDrawingError as reason:
        rows = listing(drawing, f"not drawn: {reason}", width=width, is_ascii=is_ascii)
    return "\n".join(rows) + "\n"


def _picture(drawing: Drawing, width: int, direction: str, *, is_ascii: bool, is_coloured: bool) -> list[str]:
    if len(drawing.nodes) > NODE_LIMIT:
        raise BeyondDrawingError(f"{len(drawing.nodes)} nodes are too many for a terminal")
    if not drawing.nodes:
        raise BeyondDrawingError("there is no node")
    layers = layer(drawing)
    narrowest = 0
    for way in _ways(is_turned=direction == "LR", is_ascii=is_ascii):
        grids, needed = _grids(drawing, layers, way, width)
        if needed <= width:
            _refuse_huge(grids)
            canvas = Canvas(is_turned=way.is_turned, is_ascii=is_ascii)
            painter = Painter(
                canvas=canvas,
                drawing=drawing,
                layers=layers,
                lines=way.lines,
                is_turned=way.is_turned,
                is_ascii=is_ascii,
            )
            for grid, column, row in _shelves(grids, way, width):
                painter.paint(grid, column, row)
            notes = fault_lines(drawing, is_ascii=is_ascii, width=width)
            return [*canvas.rows(is_coloured=is_coloured), *([""] if notes else []), *notes]
        narrowest = min(narrowest or needed, needed)
    raise BeyondDrawingError(f"the picture needs at least {narrowest} columns, there are {width}")


def _refuse_huge(grids: Sequence[Grid]) -> None:
    cells = sum((grid.high - grid.low + 1) * grid.length for grid in grids)
    if cells > CELL_LIMIT:
        raise BeyondDrawingError("the picture is too large for a terminal")


def _ways(*, is_turned: bool, is_ascii: bool) -> Iterator[Way]:
    """Yield the ways to draw, the wanted one first."""
    for limit, has_details in ((_FULL, True), (_FULL, False), (_SHORT, False)):
        for turned in (is_turned, not is_turned):
            yield Way(is_turned=turned, is_ascii=is_ascii, name_limit=limit, has_details=has_details)


def _grids(drawing: Drawing, layers: Layers, way: Way, width: int) -> tuple[list[Grid], int]:
    """Return the parts laid out and the columns needed; parts that surely do not fit are not laid out."""
    grids, needed = [], 0
    for part in layers.parts:
        extents = extents_of(drawing, layers, part, way)
        least = (least_along if way.is_turned else least_across)(part, extents, way.pitch)
        if least > width:
            return [], least
        grids.append(lay(layers, part, extents, way.pitch))
        needed = max(needed, _screen(grids[-1], way)[0])
    return grids, needed


def extents_of(drawing: Drawing, layers: Layers, part: Sequence[Sequence[int]], way: Way) -> dict[int, Extent]:
    """Return the room that the items of a part take in this way."""
    found = {}
    for item, count in ports(part, bundles(layers, part)).items():
        if item >= layers.count:
            found[item] = Extent(before=0, after=0, depth=1)
            continue
        text = way.lines(drawing.nodes[item])
        extent = _extent(text, count, way, has_loop=item in layers.loops)
        found[item] = replace(extent, margin=LOOP_ROOM) if item in layers.loops else extent
    return found


def _extent(text: Sequence[str], count: int, way: Way, *, has_loop: bool) -> Extent:
    across = max(map(columns, text)) + 4
    height = len(text) + 2
    if way.is_turned:
        height = max(height, count + 2)
        before = 1 + (height - 2 - len(text)) // 2
        return Extent(before=before, after=height - 1 - before, depth=max(across, 7 if has_loop else 0))
    across = max(across, 2 * count + 5 if count > 1 else 0)
    before = (across - 1) // 2
    return Extent(before=before, after=across - 1 - before, depth=max(height, 4 if has_loop else 3))


def _screen(grid: Grid, way: Way) -> tuple[int, int]:
    across = grid.high - grid.low + 1
    return (grid.length, across) if way.is_turned else (across, grid.length)


def _shelves(grids: Sequence[Grid], way: Way, width: int) -> Iterator[tuple[Grid, int, int]]:
    """Yield each part with the column and row of its first cell: side by side while there is room, then below."""
    x = y = shelf = 0
    for grid in grids:
        wide, high = _screen(grid, way)
        if x and x + wide > width:
            x, y, shelf = 0, y + shelf + 1, 0
        yield (grid, y - grid.low, x) if way.is_turned else (grid, x - grid.low, y)
        x += wide + 4
        shelf = max(shelf, high)
