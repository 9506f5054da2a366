"""The drawing as layers: nodes on ranks, long edges as chains of bends, each connected part for itself.

Invariant: numbers only, from the graph alone; sizes, gaps and paper come later. Items below ``count`` are nodes of
the drawing, the others are bends of long edges.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from wfctl.render.crossing import order_ranks
from wfctl.render.model import Drawing
from wfctl.render.ranks import assign_ranks, backward_edges, components

BEND_LIMIT = 60_000
"""Bends beyond which ordering would take longer than anyone looks at the picture."""

EDGE_LIMIT = 10_000
"""Edges beyond which a picture is one dark patch, and takes its time to become one."""


class BeyondDrawingError(Exception):
    """The graph is too large to be laid out; the reason is the text."""


@dataclass(frozen=True, slots=True)
class Strand:
    """What may share a line: edges of one source that are equally sound; an edge laid backward is alone."""

    is_fault: bool
    backward_edge: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """A layered drawing."""

    count: int
    """Number of nodes."""
    parts: tuple[tuple[tuple[int, ...], ...], ...]
    """Connected parts -> ranks -> items from left to right."""
    up: tuple[tuple[int, ...], ...]
    down: tuple[tuple[int, ...], ...]
    """Item -> items one rank above, below."""
    chains: Mapping[int, tuple[int, ...]]
    """Edge (by its place in the drawing) -> items from the upper end to the lower; self loops have none."""
    strands: Mapping[int, Strand]
    """Edge -> what it may be drawn together with."""
    segments: Mapping[tuple[int, int], tuple[Strand, ...]]
    """Item and item one rank below -> the strands between them."""
    bends: Mapping[int, Strand]
    """Bend -> the strand that it belongs to."""
    loops: frozenset[int]
    """Nodes with an edge to themselves."""

    def rank_of(self) -> list[int]:
        """Return the level of every node, counted from 0 in its part."""
        ranks = [0] * self.count
        for part in self.parts:
            for number, items in enumerate(part):
                for item in items:
                    if item < self.count:
                        ranks[item] = number
        return ranks


class _Bends:
    """Makes the bends of long edges; edges of one strand and source share theirs."""

    def __init__(self, count: int, ranks: list[int]) -> None:
        self.ranks = ranks
        self.up: list[list[int]] = [[] for _ in range(count)]
        self.down: list[list[int]] = [[] for _ in range(count)]
        self.strands: dict[int, Strand] = {}
        self._next: dict[tuple[int, Strand], int] = {}

    def chain(self, upper: int, lower: int, strand: Strand) -> tuple[int, ...]:
        """Return the items from ``upper`` to ``lower``, one a rank."""
        items = [upper]
        for rank in range(self.ranks[upper] + 1, self.ranks[lower]):
            items.append(self._bend(items[-1], rank, strand))
        self._join(items[-1], lower)
        return (*items, lower)

    def _bend(self, above: int, rank: int, strand: Strand) -> int:
        bend = self._next.get((above, strand))
        if bend is None:
            bend = len(self.ranks)
            if bend > BEND_LIMIT:
                raise BeyondDrawingError("its edges skip too many levels")
            self.ranks.append(rank)
            self.up.append([])
            self.down.append([])
            self.strands[bend] = strand
            self._next[above, strand] = bend
            self._join(above, bend)
        return bend

    def _join(self, above: int, below: int) -> None:
        if below not in self.down[above]:
            self.down[above].append(below)
            self.up[below].append(above)


def layer(drawing: Drawing) -> Layers:
    """Lay every connected part of ``drawing`` out in ordered ranks."""
    if len(drawing.edges) > EDGE_LIMIT:
        raise BeyondDrawingError(f"{len(drawing.edges)} edges are too many for a picture")
    number = {node.name: index for index, node in enumerate(drawing.nodes)}
    count = len(number)
    ends = [(number[edge.source], number[edge.target]) for edge in drawing.edges]
    proper = [pair for pair in ends if pair[0] != pair[1]]
    back = backward_edges(count, proper)
    laid = [(b, a) if (a, b) in back else (a, b) for a, b in proper]
    bends = _Bends(count, assign_ranks(count, list(dict.fromkeys(laid))))
    chains, strands = {}, {}
    for index, (source, target) in enumerate(ends):
        if source == target:
            continue
        is_back = (source, target) in back
        strand = Strand(drawing.edges[index].fault is not None, index if is_back else None)
        strands[index] = strand
        chains[index] = bends.chain(target, source, strand) if is_back else bends.chain(source, target, strand)
    return Layers(
        count=count,
        parts=tuple(_ordered(bends, part) for part in _parts(bends)),
        up=tuple(map(tuple, bends.up)),
        down=tuple(map(tuple, bends.down)),
        chains=chains,
        strands=strands,
        segments=_segments(chains, strands),
        bends=bends.strands,
        loops=frozenset(a for a, b in ends if a == b),
    )


def _segments(
    chains: Mapping[int, tuple[int, ...]], strands: Mapping[int, Strand]
) -> dict[tuple[int, int], tuple[Strand, ...]]:
    found: dict[tuple[int, int], dict[Strand, None]] = {}
    for edge, chain in chains.items():
        for pair in pairwise(chain):
            found.setdefault(pair, {})[strands[edge]] = None
    return {pair: tuple(shared) for pair, shared in found.items()}


def _parts(bends: _Bends) -> list[list[int]]:
    return components(len(bends.ranks), [(a, b) for a, below in enumerate(bends.down) for b in below])


def _ordered(bends: _Bends, part: list[int]) -> tuple[tuple[int, ...], ...]:
    top = min(bends.ranks[item] for item in part)
    ranks: list[list[int]] = [[] for _ in range(max(bends.ranks[item] for item in part) - top + 1)]
    for item in part:
        ranks[bends.ranks[item] - top].append(item)
    return tuple(map(tuple, order_ranks(ranks, bends.up, bends.down)))
