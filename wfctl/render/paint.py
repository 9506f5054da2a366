"""One laid out part on a canvas: boxes with their text, wires, arrowheads.

Invariant: decides no place; everything stands where the grid says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wfctl.render.canvas import DOWN, LEFT, UP, Canvas, Ink
from wfctl.render.channel import Wire
from wfctl.render.grid import Channel, Grid
from wfctl.render.layers import Layers
from wfctl.render.model import Drawing, DrawnNode, Shape
from wfctl.render.text import columns

Lines = Callable[[DrawnNode], Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Corners from the top left on, sides, and the places where a wire leaves down, up, right, left."""

    corners: str
    flat: str
    upright: str
    down: str
    up: str
    right: str
    left: str


_FRAMES = {
    Shape.MODEL: _Frame("┏┓┗┛", "━", "┃", "┯", "┷", "┠", "┨"),
    Shape.FUNCTION: _Frame("╭╮╰╯", "─", "│", "┬", "┴", "├", "┤"),
    Shape.UNKNOWN: _Frame("┌┐└┘", "╌", "╎", "┬", "┴", "├", "┤"),
}
_ASCII_FRAMES = {
    Shape.MODEL: _Frame("++++", "=", "|", "+", "+", "+", "+"),
    Shape.FUNCTION: _Frame("..''", "-", "|", "+", "+", "+", "+"),
    Shape.UNKNOWN: _Frame("....", ".", ":", "+", "+", "+", "+"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Painter:
    """Draws the parts of one drawing on one canvas."""

    canvas: Canvas
    drawing: Drawing
    layers: Layers
    lines: Lines
    is_turned: bool
    is_ascii: bool

    def paint(self, grid: Grid, column: int, row: int) -> None:
        """Draw one part with its origin at ``column`` and ``row``."""
        for (start, end), rank in zip(grid.bands, grid.ranks, strict=True):
            for item in rank:
                place = (grid.column[item] + column, start + row)
                if item < self.layers.count:
                    self._box(grid, item, *place)
                else:
                    ink = _ink(is_fault=self.layers.bends[item].is_fault)
                    self.canvas.along(place[0], (place[1], end + row), ("bend", item), ink, ends=UP | DOWN)
        for number in range(len(grid.channels)):
            _Wiring(self, grid, number, column, row).draw()

    def frame(self, item: int) -> _Frame:
        """Return the characters of an item's box."""
        return (_ASCII_FRAMES if self.is_ascii else _FRAMES)[self.drawing.nodes[item].shape]

    def ink(self, item: int) -> Ink:
        """Return the ink of an item's box."""
        node = self.drawing.nodes[item]
        if node.fault:
            return Ink.FAULT
        return Ink.MODEL if node.shape is Shape.MODEL else Ink.PLAIN

    def _box(self, grid: Grid, item: int, column: int, row: int) -> None:
        extent = grid.extents[item]
        across, along = extent.before + extent.after + 1, extent.depth
        x, y = (row, column - extent.before) if self.is_turned else (column - extent.before, row)
        width, height = (along, across) if self.is_turned else (across, along)
        self._outline(item, (x, y), width, height)
        text = self.lines(self.drawing.nodes[item])
        top = y + 1 + (height - 2 - len(text)) // 2
        for number, line in enumerate(text):
            ink = Ink.DETAIL if number else (Ink.FAULT if self.ink(item) is Ink.FAULT else Ink.NAME)
            self.canvas.put(x + (width - columns(line)) // 2, top + number, line, ink)
        if item in self.layers.loops:
            self._loop(item, column + extent.after, row + 1)

    def _outline(self, item: int, corner: tuple[int, int], width: int, height: int) -> None:
        frame, ink, (x, y) = self.frame(item), self.ink(item), corner
        first, second, third, last = tuple(frame.corners)
        self.canvas.put(x, y, first + frame.flat * (width - 2) + second, ink)
        for line in range(y + 1, y + height - 1):
            self.canvas.put(x, line, frame.upright, ink)
            self.canvas.put(x + width - 1, line, frame.upright, ink)
        self.canvas.put(x, y + height - 1, third + frame.flat * (width - 2) + last, ink)

    def _loop(self, item: int, border: int, row: int) -> None:
        """Draw an edge to itself beside the box (below it, if the drawing is turned)."""
        owner = ("loop", item)
        back = row + (2 if self.is_turned else 1)
        self.canvas.across(row, border, border + 2, owner, Ink.FAULT)
        self.canvas.along(border + 2, (row, back), owner, Ink.FAULT)
        self.canvas.across(back, border + 1, border + 2, owner, Ink.FAULT)
        self.canvas.arrow(border + 1, back, LEFT, Ink.FAULT)
        frame = self.frame(item)
        self.tee(border, row, frame.down if self.is_turned else frame.right, self.ink(item))

    def tee(self, column: int, row: int, glyph: str, ink: Ink) -> None:
        """Put the character at which a wire leaves a border."""
        self.canvas.put(*((row, column) if self.is_turned else (column, row)), glyph, ink)


def _ink(*, is_fault: bool) -> Ink:
    return Ink.FAULT if is_fault else Ink.PLAIN


@dataclass(frozen=True, slots=True)
class _Wiring:
    """The wires of one channel."""

    painter: Painter
    grid: Grid
    number: int
    column: int
    row: int

    @property
    def channel(self) -> Channel:
        return self.grid.channels[self.number]

    def draw(self) -> None:
        hung = {column for wire in self.channel.wires if wire.parent for column in wire.stems}
        for wire in self.channel.wires:
            for stem in wire.stems:
                self._stem(wire, stem)
            for drop in wire.drops:
                if wire.parent is not None or drop not in hung:
                    self._drop(wire, drop)
            if wire.track >= 0:
                self.painter.canvas.across(
                    self._track(wire),
                    wire.low + self.column,
                    wire.high + self.column,
                    self._owner(wire),
                    self._ink(wire),
                )
        for bundle_number, bundle in enumerate(self.channel.bundles):
            self._ends(bundle_number, is_back=bundle.strand.backward_edge is not None)

    def _owner(self, wire: Wire) -> object:
        return ("bundle", self.number, wire.bundle)

    def _ink(self, wire: Wire) -> Ink:
        return _ink(is_fault=self.channel.bundles[wire.bundle].strand.is_fault)

    def _track(self, wire: Wire) -> int:
        channel = self.channel
        return self.row + channel.start + channel.lead + max(wire.track, 0) * channel.pitch

    def _stem(self, wire: Wire, stem: int) -> None:
        if wire.parent is not None:
            start, ends = self._track(wire.parent), 0
        else:
            start, ends = self.row + self.channel.start, int(UP)
        self.painter.canvas.along(
            stem + self.column, (start, self._track(wire)), self._owner(wire), self._ink(wire), ends=ends
        )

    def _drop(self, wire: Wire, drop: int) -> None:
        self.painter.canvas.along(
            drop + self.column,
            (self._track(wire), self.row + self.channel.end),
            self._owner(wire),
            self._ink(wire),
            ends=DOWN,
        )

    def _ends(self, number: int, *, is_back: bool) -> None:
        """Join the bundle to the borders of its boxes, with arrowheads where its edges lead."""
        bundle = self.channel.bundles[number]
        ink = _ink(is_fault=bundle.strand.is_fault)
        for item, port in self.channel.stems_of(number):
            if item < self.painter.layers.count:
                self._leave_down(item, port + self.column, ink, is_back=is_back)
        for item, port in self.channel.drops_of(number):
            if item < self.painter.layers.count:
                self._reach(item, port + self.column, ink, is_back=is_back)

    def _leave_down(self, item: int, column: int, ink: Ink, *, is_back: bool) -> None:
        band, last = self.grid.bands[self.number]
        border = self.row + band + self.grid.extents[item].depth - 1
        # A box lower than its rank: the wire begins at its border and runs through what is left of the rank.
        rest = ("rest", item, column)
        self.painter.canvas.along(column, (border + 1, self.row + last), rest, ink, ends=UP | DOWN)
        if is_back:
            self.painter.canvas.arrow(column, border + 1, UP, ink)
        else:
            frame = self.painter.frame(item)
            self.painter.tee(
                column, border, frame.right if self.painter.is_turned else frame.down, self.painter.ink(item)
            )

    def _reach(self, item: int, column: int, ink: Ink, *, is_back: bool) -> None:
        if is_back:
            frame, border = self.painter.frame(item), self.row + self.grid.bands[self.number + 1][0]
            self.painter.tee(column, border, frame.left if self.painter.is_turned else frame.up, self.painter.ink(item))
        else:
            self.painter.canvas.arrow(column, self.row + self.channel.end, DOWN, ink)
