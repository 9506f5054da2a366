"""The circles of a graph, a short one for each way round, within bounded work.

Invariant: pure and iterative; the same graph gives the same circles in the same order. Self loops are no circles here.
"""

from collections import deque
from collections.abc import Iterator, Mapping

from wfctl.dag.graph import Dag
from wfctl.dag.knots import Children, knots

_MOST_OF_ONE_KNOT = 10  # after so many, mending some shows the rest better than a list does
_EDGES_WALKED = 200_000


def circles(dag: Dag) -> Iterator[tuple[str, ...]]:
    """Yield circles, each from its first node in the order of the text, shortest way round.

    A knot of nodes that all reach each other holds many circles. One is yielded, its closing edge is thought away,
    and what is still a knot is searched again: so circles that share a node each get their turn.
    """
    order = {name: index for index, name in enumerate(dag.nodes)}
    for knot in sorted(knots(dag.nodes, dag.children), key=lambda names: min(order[name] for name in names)):
        yield from _of_one_knot(knot, dag, order)


def _of_one_knot(knot: list[str], dag: Dag, order: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    inside = set(knot)
    children = {name: {child: None for child in dag.children[name] if child in inside} for name in knot}
    edges = sum(len(found) for found in children.values())
    left = max(1, min(_MOST_OF_ONE_KNOT, _EDGES_WALKED // edges))
    waiting = [knot]
    while waiting and left:
        found = waiting.pop()
        members = set(found)
        circle = _shortest(min(found, key=order.__getitem__), members, children)
        yield circle
        left -= 1
        del children[circle[-1]][circle[0]]
        rest = knots(found, {name: [c for c in children[name] if c in members] for name in found})
        waiting.extend(sorted(rest, key=lambda names: min(order[name] for name in names), reverse=True))


def _shortest(start: str, members: set[str], children: Children) -> tuple[str, ...]:
    """Return the shortest way from ``start`` back to it, breadth first; there is one in a knot."""
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for child in children[name]:
            if child == start and name != start:
                return _way_to(name, start, came_from)
            if child in members and child != start and child not in came_from:
                came_from[child] = name
                queue.append(child)
    raise AssertionError(f"no way back to {start}")


def _way_to(name: str, start: str, came_from: Mapping[str, str]) -> tuple[str, ...]:
    way = [name]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return tuple(reversed(way))
