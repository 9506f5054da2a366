"""The connected parts of a graph, whichever way its edges point.

Invariant: pure, iterative, linear.
"""

from wfctl.dag.graph import Dag


def connected_parts(dag: Dag) -> tuple[frozenset[str], ...]:
    """Return the part around the first entry (or the first node), then the others in the order of the text."""
    parts: list[frozenset[str]] = []
    seen: set[str] = set()
    for root in (*dag.entries[:1], *dag.nodes):
        if root not in seen:
            parts.append(_around(root, dag))
            seen |= parts[-1]
    return tuple(parts)


def _around(root: str, dag: Dag) -> frozenset[str]:
    found, stack = {root}, [root]
    while stack:
        name = stack.pop()
        for near in (*dag.children[name], *dag.parents[name]):
            if near not in found:
                found.add(near)
                stack.append(near)
    return frozenset(found)
