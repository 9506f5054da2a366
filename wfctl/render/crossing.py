"""The order of the items on each rank, so that few edges cross.

Invariant: numbers only; the same graph gives the same order on every run.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

Ranks = list[list[int]]
Neighbours = Sequence[Sequence[int]]

_ROUNDS = 24
_PATIENCE = 4
"""Rounds without a gain after which ordering ends."""
_WORK = 60_000
"""Edges walked in all rounds together; bounds the time for large graphs."""
_FINE = 3_000
"""Edges up to which neighbours are also swapped pair by pair in each round."""


def order_ranks(ranks: Ranks, up: Neighbours, down: Neighbours) -> Ranks:
    """Return the ranks with their items ordered."""
    current = _first_order(ranks, up, down)
    edges = sum(len(down[item]) for rank in ranks for item in rank)
    best, fewest = current, count_crossings(current, down)
    idle = 0
    for number in range(min(_ROUNDS, 2 + _WORK // (edges + 1))):
        if not fewest or idle == _PATIENCE:
            break
        current = _sweep(current, up, down, number)
        if edges <= _FINE:
            _swap_neighbours(current, up, down)
        crossings = count_crossings(current, down)
        idle = 0 if crossings < fewest else idle + 1
        if crossings < fewest:
            best, fewest = [list(rank) for rank in current], crossings
    return best


def count_crossings(ranks: Ranks, down: Neighbours) -> int:
    """Return how many pairs of edges between adjacent ranks cross."""
    total = 0
    for upper, lower in pairwise(ranks):
        place = {item: index for index, item in enumerate(lower)}
        seen: list[int] = []
        for item in upper:
            ends = sorted(place[child] for child in down[item])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                seen.insert(bisect_right(seen, end), end)
    return total


def _first_order(ranks: Ranks, up: Neighbours, down: Neighbours) -> Ranks:
    """Return the order of a walk in depth: trees come out without a crossing."""
    rank_of = {item: number for number, rank in enumerate(ranks) for item in rank}
    ordered: Ranks = [[] for _ in ranks]
    seen: set[int] = set()
    for start in (item for rank in ranks for item in rank if not up[item]):
        stack = [start]
        while stack:
            item = stack.pop()
            if item not in seen:
                seen.add(item)
                ordered[rank_of[item]].append(item)
                stack.extend(reversed(down[item]))
    return ordered


def _sweep(ranks: Ranks, up: Neighbours, down: Neighbours, number: int) -> Ranks:
    """Return ranks sorted by the mean place of their neighbours, downward and upward by turns."""
    is_downward = number % 2 == 0
    # Ties kept one time and turned the other: a tie that is never turned can hide a better order.
    tie = -1 if number % 4 >= 2 else 1  # noqa: PLR2004 - every other pair of sweeps
    fixed, turn = (up, range(1, len(ranks))) if is_downward else (down, range(len(ranks) - 2, -1, -1))
    result = [list(rank) for rank in ranks]
    place = {item: index for rank in result for index, item in enumerate(rank)}
    for row in turn:
        key = {}
        for item in result[row]:
            near = fixed[item]
            mean = sum(place[other] for other in near) / len(near) if near else float(place[item])
            key[item] = (mean, tie * place[item])
        result[row].sort(key=key.__getitem__)
        place.update((item, index) for index, item in enumerate(result[row]))
    return result


def _swap_neighbours(ranks: Ranks, up: Neighbours, down: Neighbours) -> None:
    place = {item: index for rank in ranks for index, item in enumerate(rank)}
    for _ in range(_PATIENCE):
        has_gained = False
        for rank in ranks:
            for index in range(len(rank) - 1):
                left, right = rank[index], rank[index + 1]
                if _gain(left, right, up, place) + _gain(left, right, down, place) > 0:
                    rank[index], rank[index + 1] = right, left
                    place[left], place[right] = index + 1, index
                    has_gained = True
        if not has_gained:
            return


def _gain(left: int, right: int, near: Neighbours, place: dict[int, int]) -> int:
    """Return by how much crossings shrink if ``left`` and ``right`` change places."""
    gain = 0
    for a in near[left]:
        for b in near[right]:
            gain += (place[a] > place[b]) - (place[a] < place[b])
    return gain
