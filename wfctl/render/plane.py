"""A layered drawing on a plane: boxes with places, edges as points, for painters that draw smooth lines.

Invariant: numbers only. Between ranks an edge may bend, beside boxes it runs straight: no edge touches a foreign box.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wfctl.render.coordinates import middle, place_across
from wfctl.render.layers import Layers

GAP, BEND_GAP = 36, 22
CHANNEL, CHANNEL_MOST = 52, 150
PORT, NUDGE = 20, 8
CORNER = 14
"""What of a side is round, and has no port."""
LOOP_ROOM = 42
PART_GAP = 48

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A placed node."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> Point:
        """The middle of the box."""
        return (self.x + self.width / 2, self.y + self.height / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One edge: stretches one after the other, from its source to its target.

    Even stretches are straight (along a rank), odd ones lead from rank to rank.
    """

    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Everything placed, from (0, 0) on."""

    width: float
    height: float
    is_turned: bool
    boxes: Mapping[int, Box]
    routes: Mapping[int, Route]
    """Edge -> its way; edges of a node to itself have none."""


def spread_out(layers: Layers, sizes: Sequence[tuple[int, int]], *, is_turned: bool) -> Plane:
    """Place boxes of these (width, height) and their edges, parts side by side or on shelves."""
    parts = [_Part(layers, ranks, sizes, is_turned).plane() for ranks in layers.parts]
    boxes: dict[int, Box] = {}
    routes: dict[int, Route] = {}
    width = height = 0.0
    for part, dx, dy in _shelves(parts):
        boxes |= {item: replace(box, x=box.x + dx, y=box.y + dy) for item, box in part.boxes.items()}
        routes |= {
            edge: Route(points=tuple((x + dx, y + dy) for x, y in route.points)) for edge, route in part.routes.items()
        }
        width, height = max(width, dx + part.width), max(height, dy + part.height)
    return Plane(width=width, height=height, is_turned=is_turned, boxes=boxes, routes=routes)


def _shelves(parts: Sequence[Plane]) -> Iterator[tuple[Plane, float, float]]:
    area = sum((part.width + PART_GAP) * (part.height + PART_GAP) for part in parts)
    limit = max([part.width for part in parts] + [1.5 * area**0.5])
    x = y = shelf = 0.0
    for part in parts:
        if x and x + part.width > limit:
            x, y, shelf = 0.0, y + shelf + PART_GAP, 0.0
        yield part, x, y
        x += part.width + PART_GAP
        shelf = max(shelf, part.height)


@dataclass(frozen=True, slots=True)
class _Part:
    """One connected part, in coordinates across and along the drawing."""

    layers: Layers
    ranks: Sequence[Sequence[int]]
    sizes: Sequence[tuple[int, int]]
    is_turned: bool

    def plane(self) -> Plane:
        across = self._across()
        bands = self._bands(across)
        boxes = {
            item: self._box(item, across[item], band)
            for rank, band in zip(self.ranks, bands, strict=True)
            for item in rank
            if item < self.layers.count
        }
        routes = dict(_Routes(self.layers, self.ranks, across, bands, self._sizes(1), self._sizes(0)).all())
        low = min(across[item] - self._half(item) for item in across)
        high = max(across[item] + self._half(item) + self._margin(item) for item in across)
        return self._upright(boxes, routes, low, high, bands[-1][1])

    def _size(self, item: int) -> tuple[int, int]:
        """Return the size across and along."""
        if item >= self.layers.count:
            return (0, 0)
        width, height = self.sizes[item]
        return (height, width) if self.is_turned else (width, height)

    def _half(self, item: int) -> int:
        return (self._size(item)[0] + 1) // 2

    def _margin(self, item: int) -> int:
        return LOOP_ROOM if item in self.layers.loops else 0

    def _sizes(self, side: int) -> dict[int, int]:
        return {item: self._size(item)[side] for rank in self.ranks for item in rank}

    def _across(self) -> dict[int, int]:
        def distance(left: int, right: int) -> int:
            gap = BEND_GAP if left >= self.layers.count and right >= self.layers.count else GAP
            return self._half(left) + self._margin(left) + gap + self._half(right)

        return place_across(self.ranks, self.layers.up, self.layers.down, distance, self.layers.count)

    def _bands(self, across: Mapping[int, int]) -> list[tuple[float, float]]:
        """Return where each rank begins and ends; the wider the edges between two swing, the further apart."""
        bands: list[tuple[float, float]] = []
        start = 0.0
        for rank in self.ranks:
            end = start + max(self._size(item)[1] for item in rank)
            bands.append((start, end))
            swing = max(
                (abs(across[item] - across[below]) for item in rank for below in self.layers.down[item]), default=0
            )
            start = end + min(CHANNEL + swing // 8, CHANNEL_MOST)
        return bands

    def _box(self, item: int, across: int, band: tuple[float, float]) -> Box:
        width, depth = self._size(item)
        return Box(x=across - width / 2, y=(band[0] + band[1] - depth) / 2, width=width, height=depth)

    def _upright(
        self, boxes: Mapping[int, Box], routes: Mapping[int, Route], low: int, high: int, length: float
    ) -> Plane:
        """Turn across and along into x and y, beginning at 0."""
        if not self.is_turned:
            return Plane(
                width=high - low,
                height=length,
                is_turned=False,
                boxes={item: replace(box, x=box.x - low) for item, box in boxes.items()},
                routes={
                    edge: Route(points=tuple((x - low, y) for x, y in route.points)) for edge, route in routes.items()
                },
            )
        return Plane(
            width=length,
            height=high - low,
            is_turned=True,
            boxes={
                item: Box(x=box.y, y=box.x - low, width=box.height, height=box.width) for item, box in boxes.items()
            },
            routes={edge: Route(points=tuple((y, x - low) for x, y in route.points)) for edge, route in routes.items()},
        )


@dataclass(frozen=True, slots=True)
class _Routes:
    """The edges of one part."""

    layers: Layers
    ranks: Sequence[Sequence[int]]
    across: Mapping[int, int]
    bands: Sequence[tuple[float, float]]
    depths: Mapping[int, int]
    widths: Mapping[int, int]
    """Sizes along and across."""

    def all(self) -> Iterator[tuple[int, Route]]:
        """Yield each edge with its route."""
        rank_of = {item: number for number, rank in enumerate(self.ranks) for item in rank}
        edges = {edge: chain for edge, chain in self.layers.chains.items() if chain[0] in rank_of}
        leaving = self._ports([(chain[0], chain[1], edge) for edge, chain in edges.items()], is_arriving=False)
        arriving = self._ports([(chain[-1], chain[-2], edge) for edge, chain in edges.items()], is_arriving=True)
        for edge, chain in edges.items():
            points: list[Point] = []
            for place, item in enumerate(chain):
                start, end = self.bands[rank_of[item]]
                rest = (end - start - self.depths[item]) / 2
                if place == 0:
                    points += [(leaving[edge], end - rest), (leaving[edge], end)]
                elif place == len(chain) - 1:
                    points += [(arriving[edge], start), (arriving[edge], start + rest)]
                else:
                    points += [(self.across[item], start), (self.across[item], end)]
            is_back = self.layers.strands[edge].backward_edge is not None
            yield edge, Route(points=tuple(reversed(points) if is_back else points))

    def _nudge(self, item: int, others: Sequence[int]) -> int:
        """Return by how much to move an arrival so that it is straight, where that is little enough not to be seen."""
        offset = middle([self.across[other] for other in others]) - self.across[item]
        return offset if abs(offset) <= NUDGE else 0

    def _ports(self, ends: Sequence[tuple[int, int, int]], *, is_arriving: bool) -> dict[int, float]:
        """Return where each edge meets its box: edges of one strand kind together, different ones side by side."""
        kinds: dict[int, dict[object, list[tuple[int, int]]]] = {}
        for item, towards, edge in ends:
            kinds.setdefault(item, {}).setdefault(self.layers.strands[edge], []).append((towards, edge))
        found = {}
        for item, groups in kinds.items():
            ordered = sorted(groups.values(), key=lambda group: sum(self.across[t] for t, _ in group) / len(group))
            pitch = min(PORT, (self.widths[item] - 2 * CORNER) / max(len(ordered) - 1, 1))
            for number, group in enumerate(ordered):
                offset = pitch * (number - (len(ordered) - 1) / 2)
                if is_arriving and len(ordered) == 1:
                    offset = self._nudge(item, [towards for towards, _ in group])
                found.update({edge: self.across[item] + offset for _, edge in group})
        return found
