"""Orders of a graph: topological order, levels, cycles, reachability. All iterative, all linear or nearly so."""

from collections import deque
from collections.abc import Iterable

from wfctl.dag.graph import Dag


def topological(dag: Dag) -> tuple[str, ...]:
    """Return the nodes parents first, ties in the order of ``dag.nodes``; nodes on or behind cycles are left out."""
    waiting = {name: len(dag.parents[name]) for name in dag.nodes}
    ready = deque(name for name in dag.nodes if not waiting[name])
    found = []
    while ready:
        name = ready.popleft()
        found.append(name)
        for child in dag.children[name]:
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return tuple(found)


def levels(dag: Dag) -> dict[str, int]:
    """Return for each node (off cycles) the length of the longest way from an entry."""
    depth: dict[str, int] = {}
    for name in topological(dag):
        depth[name] = max((depth[parent] + 1 for parent in dag.parents[name]), default=0)
    return depth


def reachable(dag: Dag, starts: Iterable[str]) -> set[str]:
    """Return every node that a way leads to from ``starts``, the starts included."""
    seen = set(starts)
    stack = list(seen)
    while stack:
        for child in dag.children[stack.pop()]:
            if child not in seen:
                seen.add(child)
                stack.append(child)
    return seen


def cycles(dag: Dag) -> tuple[tuple[str, ...], ...]:
    """Return one circle for each knot of nodes that feed into each other, in the order of ``dag.nodes``.

    A circle names each of its nodes once and begins with the knot's first node in ``dag.nodes``; it is as short as a
    circle through that node can be. The last node feeds into the first. A node that feeds into itself makes no knot.
    """
    position = {name: index for index, name in enumerate(dag.nodes)}
    firsts = {min(knot, key=position.__getitem__): knot for knot in _knots(dag)}
    return tuple(_shortest_circle(dag, first, firsts[first]) for first in sorted(firsts, key=position.__getitem__))


def _shortest_circle(dag: Dag, first: str, knot: frozenset[str]) -> tuple[str, ...]:
    came_from: dict[str, str] = {}
    queue = deque([first])
    while queue:
        name = queue.popleft()
        for child in dag.children[name]:
            if child == first and name != first:
                return _way(came_from, first, name)
            if child in knot and child != first and child not in came_from:
                came_from[child] = name
                queue.append(child)
    raise AssertionError(f"{first} is in a knot, and no way leads back to it")


def _way(came_from: dict[str, str], first: str, last: str) -> tuple[str, ...]:
    found = [last]
    while found[-1] != first:
        found.append(came_from[found[-1]])
    return tuple(reversed(found))


def _knots(dag: Dag) -> list[frozenset[str]]:
    """Return the strongly connected components of two or more nodes.

    Two walks after Kosaraju: the first notes each node when it is left, the second goes against the edges in the
    opposite order and cannot leave a component.
    """
    seen: set[str] = set()
    found = []
    for start in reversed(_left_last(dag)):
        if start in seen:
            continue
        seen.add(start)
        knot, stack = [start], [start]
        while stack:
            for parent in dag.parents[stack.pop()]:
                if parent not in seen:
                    seen.add(parent)
                    knot.append(parent)
                    stack.append(parent)
        if len(knot) > 1:
            found.append(frozenset(knot))
    return found


def _left_last(dag: Dag) -> list[str]:
    """Return the nodes in the order in which a walk in depth leaves them."""
    seen: set[str] = set()
    left = []
    for start in dag.nodes:
        if start in seen:
            continue
        seen.add(start)
        stack = [(start, iter(dag.children[start]))]
        while stack:
            name, rest = stack[-1]
            child = next((each for each in rest if each not in seen), None)
            if child is None:
                left.append(name)
                stack.pop()
            else:
                seen.add(child)
                stack.append((child, iter(dag.children[child])))
    return left
