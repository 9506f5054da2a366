"""Which way each edge is laid, and on which level each node stands.

Invariant: numbers only. Nodes are 0 to ``count - 1``; every edge laid leads from a lower rank to a higher one.
"""

from collections.abc import Sequence

Edge = tuple[int, int]


def neighbours(count: int, edges: Sequence[Edge]) -> tuple[list[list[int]], list[list[int]]]:
    """Return the children and the parents of every node."""
    down: list[list[int]] = [[] for _ in range(count)]
    up: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        down[source].append(target)
        up[target].append(source)
    return down, up


def backward_edges(count: int, edges: Sequence[Edge]) -> set[Edge]:
    """Return the edges that must be turned round for the graph to have no cycle (none where it has none)."""
    down, up = neighbours(count, edges)
    unseen, open_, done = 0, 1, 2
    state = [unseen] * count
    found: set[Edge] = set()
    # Entries first: a walk that begins inside a cycle would turn round an edge that reads well as it is.
    for start in sorted(range(count), key=lambda node: bool(up[node])):
        if state[start] != unseen:
            continue
        state[start] = open_
        path = [(start, iter(down[start]))]
        while path:
            node, rest = path[-1]
            child = next(rest, None)
            if child is None:
                state[node] = done
                path.pop()
            elif state[child] == open_:
                found.add((node, child))
            elif state[child] == unseen:
                state[child] = open_
                path.append((child, iter(down[child])))
    return found


def assign_ranks(count: int, edges: Sequence[Edge]) -> list[int]:
    """Return the level of every node of an acyclic graph: as high as its parents allow, entries near their children."""
    down, up = neighbours(count, edges)
    order = _parents_first(down, up)
    rank = [0] * count
    for node in order:
        rank[node] = max((rank[parent] + 1 for parent in up[node]), default=0)
    for node in reversed(order):
        if len(down[node]) > len(up[node]):
            rank[node] = min(rank[child] for child in down[node]) - 1
    return rank


def _parents_first(down: list[list[int]], up: list[list[int]]) -> list[int]:
    waiting = [len(parents) for parents in up]
    order = [node for node, count in enumerate(waiting) if not count]
    for node in order:  # grows while it is walked
        for child in down[node]:
            waiting[child] -= 1
            if not waiting[child]:
                order.append(child)
    return order


def components(count: int, edges: Sequence[Edge]) -> list[list[int]]:
    """Return the connected parts, each in the order of its nodes, the parts by their first node."""
    down, up = neighbours(count, edges)
    part = [-1] * count
    found: list[list[int]] = []
    for start in range(count):
        if part[start] >= 0:
            continue
        part[start] = len(found)
        members = [start]
        for node in members:  # grows while it is walked
            for other in (*down[node], *up[node]):
                if part[other] < 0:
                    part[other] = len(found)
                    members.append(other)
        found.append(sorted(members))
    return found
