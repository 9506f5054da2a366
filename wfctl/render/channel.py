"""The wires between two adjacent ranks: bundles, the tracks they run on, and detours.

A bundle joins some items above with some items below, every one with every one, so that its wires may merge and
still say exactly which edges there are. Each end of a bundle has a column of its own; a bundle that is not straight
runs on one track across.

Invariant: numbers only; "above" and "below" are along the drawing, "column" is across, whichever way it is turned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wfctl.render.layers import Layers, Strand


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Wires that are drawn as one."""

    above: tuple[int, ...]
    below: tuple[int, ...]
    strand: Strand


@dataclass(slots=True, kw_only=True)
class Wire:
    """A bundle (or a piece of one) with its columns."""

    bundle: int
    stems: list[int]
    """Columns that come from above."""
    drops: list[int]
    """Columns that go on below."""
    track: int = -1
    """Track across; -1 for a straight wire."""
    parent: "Wire | None" = None
    """The wire whose detour this is: its one stem starts at that wire's track and not at the top."""

    @property
    def low(self) -> int:
        """Leftmost column."""
        return min(*self.stems, *self.drops)

    @property
    def high(self) -> int:
        """Rightmost column."""
        return max(*self.stems, *self.drops)


def bundles(layers: Layers, part: Sequence[Sequence[int]]) -> list[list[Bundle]]:
    """Return the bundles of each channel of a part: sources of one strand kind with the same targets are merged."""
    return [_merge(layers, rank) for rank in part[:-1]]


def _merge(layers: Layers, rank: Iterable[int]) -> list[Bundle]:
    reached: dict[tuple[int, Strand], list[int]] = {}
    for item in rank:
        for below in layers.down[item]:
            for strand in layers.segments[item, below]:
                reached.setdefault((item, strand), []).append(below)
    merged: dict[tuple[Strand, tuple[int, ...]], list[int]] = {}
    for (item, strand), targets in reached.items():
        merged.setdefault((strand, tuple(sorted(targets))), []).append(item)
    return [Bundle(above=tuple(above), below=below, strand=strand) for (strand, below), above in merged.items()]


def spread(centre: int, wanted: Sequence[int], reach: tuple[int, int], pitch: int) -> list[int]:
    """Return a column for each of ``wanted`` (sorted), as near to it as the box's ``reach`` and ``pitch`` allow."""
    low, high = reach
    if len(wanted) == 1:
        return [wanted[0] if abs(wanted[0] - centre) <= pitch and low <= wanted[0] <= high else centre]
    left = sum(column < low for column in wanted)
    right = sum(column > high for column in wanted)
    inner = list(wanted[left : len(wanted) - right])
    result = [centre - pitch * (left - index) for index in range(left)]
    result += inner + [centre + pitch * (index + 1) for index in range(right)]
    for index in range(1, len(result)):
        result[index] = max(result[index], result[index - 1] + pitch)
    limit = high
    for index in range(len(result) - 1, -1, -1):
        result[index] = limit = min(result[index], limit)
        limit -= pitch
    floor = low
    for index, column in enumerate(result):
        result[index] = floor = max(column, floor)
        floor += pitch
    return result


def assign_tracks(wires: list[Wire]) -> int:
    """Give every wire that is not straight a track, with detours where two block each other; return their number.

    A wire whose stem stands in the column of another's drop must run above it, or the two would touch.
    """
    used = {column for wire in wires for column in (*wire.stems, *wire.drops)}
    bent = [wire for wire in wires if wire.low != wire.high]
    order = _sorted(bent, used)
    wires.extend(wire for wire in order if wire.parent is not None)
    return _pack(order)


def _blockers(bent: Sequence[Wire]) -> list[set[int]]:
    stem_of = {column: index for index, wire in enumerate(bent) for column in wire.stems}
    return [
        {stem_of[column] for column in wire.drops if column in stem_of} - {index} for index, wire in enumerate(bent)
    ]


def _sorted(bent: list[Wire], used: set[int]) -> list[Wire]:
    """Return the wires from the top down, detours included; ``bent`` grows by them."""
    blockers = _blockers(bent)
    costs = _costs(bent)
    cost = [sum(row.values()) for row in costs]
    left = dict.fromkeys(range(len(bent)))
    order: list[Wire] = []
    while left:
        free = [index for index in left if not blockers[index] & left.keys()]
        if not free:
            index, other = next((i, min(blockers[i] & left.keys())) for i in left)
            bent.append(_detour(bent[index], bent[other], used))
            blockers[index].discard(other)
            blockers.append({index, other})
            costs.append({})
            cost.append(0)
            left[len(bent) - 1] = None
            continue
        best = min(free, key=lambda index: (cost[index], index))
        order.append(bent[best])
        del left[best]
        for other, share in costs[best].items():
            cost[other] += share  # what it cost to run above ``best`` is the opposite, and settled now
    return order


def _costs(bent: Sequence[Wire]) -> list[dict[int, int]]:
    """Return for each wire, for each other it meets, how many crossings more it makes to run above it than below."""
    found: list[dict[int, int]] = [{} for _ in bent]
    spans = [(wire.low, wire.high) for wire in bent]
    for index, (low, high) in enumerate(spans):
        for other in range(index + 1, len(bent)):
            if low <= spans[other][1] and spans[other][0] <= high:
                cost = _crossings(bent[index], bent[other]) - _crossings(bent[other], bent[index])
                found[index][other], found[other][index] = cost, -cost
    return found


def _crossings(upper: Wire, lower: Wire) -> int:
    return sum(upper.low <= column <= upper.high for column in lower.stems) + sum(
        lower.low <= column <= lower.high for column in upper.drops
    )


def _detour(wire: Wire, blocker: Wire, used: set[int]) -> Wire:
    """Let the drop of ``wire`` below a stem of ``blocker`` go down in a free column beside it and come back below."""
    column = next(column for column in wire.drops if column in blocker.stems)
    step = next(s for n in range(1, len(used) + 2) for s in (n, -n) if column + s not in used)
    aside = column + step
    used.add(aside)
    wire.drops[wire.drops.index(column)] = aside
    return Wire(bundle=wire.bundle, stems=[aside], drops=[column], parent=wire)


def _pack(order: Sequence[Wire]) -> int:
    """Lay the wires on tracks, each as high as its blockers and the wires already laid allow."""
    tracks: list[list[Wire]] = []
    laid: list[Wire] = []
    for wire in order:
        first = max((other.track + 1 for other in laid if _must_run_above(other, wire)), default=0)
        track = next((t for t in range(first, len(tracks)) if _fits(tracks[t], wire)), len(tracks))
        if track == len(tracks):
            tracks.append([])
        tracks[track].append(wire)
        wire.track = track
        laid.append(wire)
    return len(tracks)


def _must_run_above(upper: Wire, wire: Wire) -> bool:
    return wire.low <= upper.high and upper.low <= wire.high


def _fits(track: Iterable[Wire], wire: Wire) -> bool:
    return all(wire.low > other.high + 1 or other.low > wire.high + 1 for other in track)
