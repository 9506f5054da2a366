"""Where the items stand across their ranks: straight long edges, parents over the middle of their children.

The method aligns each item with the median of its neighbours four times (looking up and down, packed to the left and
to the right) and takes the middle of the four results.

Invariant: whole numbers only; neighbours on a rank keep their distance exactly.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

Ranks = Sequence[Sequence[int]]
Neighbours = Sequence[Sequence[int]]
Distance = Callable[[int, int], int]
"""Least distance between the anchors of an item and its right-hand neighbour."""


def place_across(ranks: Ranks, up: Neighbours, down: Neighbours, distance: Distance, first_bend: int) -> dict[int, int]:
    """Return the anchor of every item; the smallest is 0."""
    conflicts = _conflicts(ranks, up, first_bend)
    results = [
        _one_way(rows, near, distance, conflicts, is_mirrored=is_mirrored)
        for near, rows in ((up, ranks), (down, ranks[::-1]))
        for is_mirrored in (False, True)
    ]
    _line_up(results)
    found = {item: middle([result[item] for result in results]) for item in results[0]}
    least = min(found.values())
    return {item: value - least for item, value in found.items()}


def middle(values: Sequence[int]) -> int:
    """Return the median; of an even number the mean of the two in the middle, rounded down."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


def _line_up(results: list[dict[int, int]]) -> None:
    """Shift the four results onto the narrowest one: left-packed ones by their left side, the others by their right."""
    narrow = min(results, key=lambda result: max(result.values()) - min(result.values()))
    low, high = min(narrow.values()), max(narrow.values())
    for index, result in enumerate(results):
        shift = high - max(result.values()) if index % 2 else low - min(result.values())
        for item in result:
            result[item] += shift


def _conflicts(ranks: Ranks, up: Neighbours, first_bend: int) -> set[tuple[int, int]]:
    """Return the edges that cross a stretch between two bends: the long edge stays straight, the other one gives."""
    found: set[tuple[int, int]] = set()
    for upper, lower in pairwise(ranks):
        place = {item: index for index, item in enumerate(upper)}
        left, start = -1, 0
        for index, item in enumerate(lower):
            inner = next((place[above] for above in up[item] if above >= first_bend), None)
            if item < first_bend:
                inner = None
            if inner is None and index < len(lower) - 1:
                continue
            right = len(upper) if inner is None else inner
            for other in lower[start : index + 1]:
                is_bend = other >= first_bend
                for above in up[other]:
                    is_inner = is_bend and above >= first_bend
                    if not is_inner and not left <= place[above] <= right:
                        found.add((above, other))
            left, start = right, index + 1
    return found


def _one_way(
    rows: Ranks, near: Neighbours, distance: Distance, conflicts: set[tuple[int, int]], *, is_mirrored: bool
) -> dict[int, int]:
    if not is_mirrored:
        return _pack(rows, _align(rows, near, conflicts), distance)
    mirrored = [row[::-1] for row in rows]
    packed = _pack(mirrored, _align(mirrored, near, conflicts), lambda left, right: distance(right, left))
    return {item: -value for item, value in packed.items()}


def _align(rows: Ranks, near: Neighbours, conflicts: set[tuple[int, int]]) -> dict[int, int]:
    """Return for each item the first item of the straight line it belongs to."""
    place = {item: index for row in rows for index, item in enumerate(row)}
    root = {item: item for item in place}
    for row in rows:
        last = -1
        for item in row:
            others = sorted(near[item], key=place.__getitem__)
            for index in {(len(others) - 1) // 2: 0, len(others) // 2: 0} if others else ():
                other = others[index]
                is_free = (other, item) not in conflicts and (item, other) not in conflicts
                if root[item] == item and is_free and last < place[other]:
                    root[item] = root[other]
                    last = place[other]
    return root


def _pack(rows: Ranks, root: dict[int, int], distance: Distance) -> dict[int, int]:
    """Return the leftmost places of the lines, then each moved right as far as its neighbours allow."""
    after: dict[int, dict[int, int]] = {line: {} for line in root.values()}
    before: dict[int, dict[int, int]] = {line: {} for line in after}
    for row in rows:
        for left, right in pairwise(row):
            a, b, gap = root[left], root[right], distance(left, right)
            after[a][b] = before[b][a] = max(gap, after[a].get(b, 0))
    order = _left_first(after, before)
    value: dict[int, int] = {}
    for line in order:
        value[line] = max((value[other] + gap for other, gap in before[line].items()), default=0)
    for line in reversed(order):
        if after[line]:
            value[line] = max(value[line], min(value[other] - gap for other, gap in after[line].items()))
    return {item: value[line] for item, line in root.items()}


def _left_first(after: dict[int, dict[int, int]], before: dict[int, dict[int, int]]) -> list[int]:
    waiting = {line: len(others) for line, others in before.items()}
    order = [line for line, count in waiting.items() if not count]
    for line in order:  # grows while it is walked
        for other in after[line]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    return order
