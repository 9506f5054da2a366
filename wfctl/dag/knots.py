"""The knots of a graph: groups of nodes that all reach each other.

Invariant: iterative, and linear in the edges.
"""

from collections.abc import Iterable, Mapping

Children = Mapping[str, Iterable[str]]


def knots(nodes: Iterable[str], children: Children) -> list[list[str]]:
    """Return the groups of two and more nodes that all reach each other (Tarjan's components, without recursion)."""
    found: list[list[str]] = []
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    is_open: set[str] = set()
    for root in nodes:
        if root in index:
            continue
        path = [(root, iter(children[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        is_open.add(root)
        while path:
            name, rest = path[-1]
            for child in rest:
                if child not in index:
                    index[child] = low[child] = len(index)
                    stack.append(child)
                    is_open.add(child)
                    path.append((child, iter(children[child])))
                    break
                if child in is_open:
                    low[name] = min(low[name], index[child])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[name])
                if low[name] == index[name]:
                    found.append(_closed(name, stack, is_open))
    return [knot for knot in found if len(knot) > 1]


def _closed(name: str, stack: list[str], is_open: set[str]) -> list[str]:
    knot = []
    while True:
        knot.append(stack.pop())
        is_open.discard(knot[-1])
        if knot[-1] == name:
            return knot
