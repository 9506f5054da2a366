"""Orders of a graph: topological order, levels, reachability. All iterative, all linear or nearly so."""

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
