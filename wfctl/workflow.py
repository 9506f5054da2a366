"""The workflow: spec, graph and handler facts joined into one sound value.

Invariant: a ``Workflow`` is sound. Only ``assemble`` makes one, from a spec without errors, and ``up_to`` cuts it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from wfctl.dag.graph import Dag
from wfctl.dag.order import topological
from wfctl.spec.model import Extension, ModelSpec, WorkerSettings, WorkflowSpec


class NodeKind(StrEnum):
    """The two kinds of node."""

    MODEL = "model"
    FUNCTION = "function"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One place in the graph."""

    name: str
    kind: NodeKind
    settings: WorkerSettings
    parents: tuple[str, ...]
    children: tuple[str, ...]
    model: ModelSpec | None = None
    """Set exactly for model nodes."""

    @property
    def is_entry(self) -> bool:
        """Whether the node gets the run's input."""
        return not self.parents

    @property
    def is_leaf(self) -> bool:
        """Whether the node's output is (part of) the run's answer."""
        return not self.children


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A sound workflow; ``nodes`` stand in topological order, parents first, ties in the order of the text."""

    nodes: tuple[Node, ...]
    extension: Extension
    defaults: WorkerSettings = field(default_factory=WorkerSettings)
    """The global settings of the spec."""

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    @property
    def entries(self) -> tuple[Node, ...]:
        """The nodes that get the input."""
        return tuple(node for node in self.nodes if node.is_entry)

    @property
    def leaves(self) -> tuple[Node, ...]:
        """The nodes whose outputs make the answer."""
        return tuple(node for node in self.nodes if node.is_leaf)


def assemble(spec: WorkflowSpec, dag: Dag) -> Workflow:
    """Join a sound spec and its acyclic graph: a name found in ``models`` is a model, any other a function."""

    def node(name: str) -> Node:
        model = spec.models.get(name)
        return Node(
            name=name,
            kind=NodeKind.FUNCTION if model is None else NodeKind.MODEL,
            settings=spec.function_settings(name) if model is None else model.settings,
            parents=dag.parents[name],
            children=dag.children[name],
            model=model,
        )

    return Workflow(
        nodes=tuple(node(name) for name in topological(dag)), extension=spec.extension, defaults=spec.defaults
    )


def up_to(workflow: Workflow, name: str) -> Workflow:
    """Return the part of a workflow whose answer is that of node ``name``: it, and all that feeds into it.

    Raises ``KeyError`` for a node that there is not.
    """
    by_name = {node.name: node for node in workflow}
    needed = {by_name[name].name}
    for node in reversed(workflow.nodes):  # children first, so one pass finds every ancestor
        if node.name in needed:
            needed.update(node.parents)
    kept = (
        replace(node, children=tuple(child for child in node.children if child in needed and node.name != name))
        for node in workflow
        if node.name in needed
    )
    return replace(workflow, nodes=tuple(kept))
