"""A directed graph of names.

Invariant: names only; the graph may be unsound (cycles, self loops), questions about that are in ``order``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Dag:
    """Nodes in the order they first appear, and both directions of every edge (each edge once)."""

    nodes: tuple[str, ...]
    children: Mapping[str, tuple[str, ...]]
    parents: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_edges(cls, nodes: Iterable[str], edges: Iterable[tuple[str, str]]) -> "Dag":
        """Build the graph; nodes that only edges name come after ``nodes``, repeated edges count once."""
        children: dict[str, dict[str, None]] = {name: {} for name in nodes}
        parents: dict[str, dict[str, None]] = {name: {} for name in children}
        for source, target in edges:
            for name in (source, target):
                children.setdefault(name, {})
                parents.setdefault(name, {})
            children[source][target] = None
            parents[target][source] = None
        return cls(
            nodes=tuple(children),
            children={name: tuple(found) for name, found in children.items()},
            parents={name: tuple(found) for name, found in parents.items()},
        )

    @property
    def entries(self) -> tuple[str, ...]:
        """Nodes without parents."""
        return tuple(name for name in self.nodes if not self.parents[name])

    @property
    def leaves(self) -> tuple[str, ...]:
        """Nodes without children."""
        return tuple(name for name in self.nodes if not self.children[name])
