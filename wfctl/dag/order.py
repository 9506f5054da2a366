"""Orders of a graph: topological order and reachability. All iterative, all linear or nearly so."""

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
