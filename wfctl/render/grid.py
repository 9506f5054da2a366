"""A layered part on a grid of character cells: boxes, ports, tracks, and how much room it takes.

Invariant: numbers only. Columns are across the drawing and rows along it, whichever way it is turned on the screen.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wfctl.render.channel import Bundle, Wire, assign_tracks, bundles, spread
from wfctl.render.coordinates import middle, place_across
from wfctl.render.layers import Layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The room an item takes around its anchor."""

    before: int
    after: int
    depth: int
    margin: int = 0
    """Free columns wanted after it, for an edge to itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pitch:
    """Distances that depend on which way the drawing is turned."""

    port: int
    """Between ports of one box."""
    inset: int
    """From a box's corner to its first port."""
    gap: int
    """Between boxes of a rank."""
    bend_gap: int
    lead: int
    """From a box to the first track."""
    track: int
    """Between tracks."""
    tail: int
    """From the last track to the boxes below, the arrowhead included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The wires between two ranks."""

    bundles: Sequence[Bundle]
    wires: Sequence[Wire]
    start: int
    """First row."""
    end: int
    """Last row."""
    lead: int
    pitch: int
    """Rows from one track to the next."""
    stems: Mapping[tuple[int, int], int]
    drops: Mapping[tuple[int, int], int]
    """(item, bundle) -> column at which they meet, above and below."""

    def stems_of(self, bundle: int) -> Iterator[tuple[int, int]]:
        """Yield the items above a bundle with their columns."""
        return ((item, self.stems[item, bundle]) for item in self.bundles[bundle].above)

    def drops_of(self, bundle: int) -> Iterator[tuple[int, int]]:
        """Yield the items below a bundle with their columns."""
        return ((item, self.drops[item, bundle]) for item in self.bundles[bundle].below)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A part with every place decided."""

    ranks: Sequence[Sequence[int]]
    column: Mapping[int, int]
    extents: Mapping[int, Extent]
    bands: Sequence[tuple[int, int]]
    """First and last row of each rank."""
    channels: Sequence[Channel]
    low: int
    high: int
    length: int
    """Columns ``low`` to ``high``, rows 0 to ``length - 1``."""


def ports(part: Sequence[Sequence[int]], joined: Sequence[Sequence[Bundle]]) -> dict[int, int]:
    """Return the larger number of bundles that meet each item above or below."""
    above: dict[int, int] = {}
    below: dict[int, int] = {}
    for bundle in (bundle for channel in joined for bundle in channel):
        for item in bundle.above:
            above[item] = above.get(item, 0) + 1
        for item in bundle.below:
            below[item] = below.get(item, 0) + 1
    return {item: max(above.get(item, 0), below.get(item, 0), 1) for rank in part for item in rank}


def least_across(part: Sequence[Sequence[int]], extents: Mapping[int, Extent], pitch: Pitch) -> int:
    """Return the columns that the widest rank takes at least."""
    return max(sum(_span(extents[item]) for item in rank) + pitch.bend_gap * (len(rank) - 1) for rank in part)


def least_along(part: Sequence[Sequence[int]], extents: Mapping[int, Extent], pitch: Pitch) -> int:
    """Return the rows that the ranks and the channels between them take at least."""
    channel = pitch.lead + 1 + pitch.tail
    return sum(max(extents[item].depth for item in rank) for rank in part) + channel * (len(part) - 1)


def _span(extent: Extent) -> int:
    return extent.before + extent.after + extent.margin + 1


def lay(layers: Layers, part: Sequence[Sequence[int]], extents: Mapping[int, Extent], pitch: Pitch) -> Grid:
    """Place a part: items on columns, then the wires of each channel, then the rows that follow from them."""

    def distance(left: int, right: int) -> int:
        is_between_bends = left >= layers.count and right >= layers.count
        gap = pitch.bend_gap if is_between_bends else pitch.gap
        return extents[left].after + extents[left].margin + gap + extents[right].before + 1

    column = place_across(part, layers.up, layers.down, distance, layers.count)
    floor = _Floor(layers.count, column, extents, pitch)
    joined = bundles(layers, part)
    bands, channels, row = [], [], 0
    for number, rank in enumerate(part):
        end = row + max(extents[item].depth for item in rank) - 1
        bands.append((row, end))
        row = end + 1
        if number < len(part) - 1:
            channels.append(floor.channel(joined[number], row))
            row = channels[-1].end + 1
    used = [c for channel in channels for wire in channel.wires for c in (*wire.stems, *wire.drops)]
    items = [item for rank in part for item in rank]
    return Grid(
        ranks=part,
        column=column,
        extents=extents,
        bands=bands,
        channels=channels,
        low=min(used + [column[item] - extents[item].before for item in items]),
        high=max(used + [column[item] + extents[item].after + extents[item].margin for item in items]),
        length=row,
    )


@dataclass(frozen=True, slots=True)
class _Floor:
    """The placed items, on which channels are laid out."""

    count: int
    column: Mapping[int, int]
    extents: Mapping[int, Extent]
    pitch: Pitch

    def channel(self, joined: Sequence[Bundle], start: int) -> Channel:
        """Return the wires of one channel that begins at row ``start``."""
        above = [
            (item, number, middle([self.column[below] for below in bundle.below]))
            for number, bundle in enumerate(joined)
            for item in bundle.above
        ]
        stems = self._ports(above, is_fixed_alone=True)
        below = [
            (item, number, middle([stems[upper, number] for upper in bundle.above]))
            for number, bundle in enumerate(joined)
            for item in bundle.below
        ]
        drops = self._ports(below, is_fixed_alone=False)
        wires = [
            Wire(bundle=n, stems=[stems[item, n] for item in b.above], drops=[drops[item, n] for item in b.below])
            for n, b in enumerate(joined)
        ]
        tracks = max(assign_tracks(wires), 1)
        points_up = any(b.strand.backward_edge is not None and b.above[0] < self.count for b in joined)
        lead = max(self.pitch.lead, int(points_up))
        return Channel(
            bundles=joined,
            wires=wires,
            start=start,
            end=start + lead + (tracks - 1) * self.pitch.track + self.pitch.tail,
            lead=lead,
            pitch=self.pitch.track,
            stems=stems,
            drops=drops,
        )

    def _ports(self, wanted: Sequence[tuple[int, int, int]], *, is_fixed_alone: bool) -> dict[tuple[int, int], int]:
        """Return the column at which each bundle meets each item; an only bundle below a box leaves from its middle."""
        by_item: dict[int, list[tuple[int, int]]] = {}
        for item, bundle, place in wanted:
            by_item.setdefault(item, []).append((place, bundle))
        found = {}
        for item, places in by_item.items():
            places.sort()
            is_fixed = item >= self.count or (is_fixed_alone and len(places) == 1)
            columns = [self.column[item]] if is_fixed else self._spread(item, [place for place, _ in places])
            found.update({(item, bundle): at for (_, bundle), at in zip(places, columns, strict=True)})
        return found

    def _spread(self, item: int, places: Sequence[int]) -> list[int]:
        extent, centre, inset = self.extents[item], self.column[item], self.pitch.inset
        reach = (centre - extent.before + inset, centre + extent.after - inset)
        return spread(centre, places, reach, self.pitch.port)
