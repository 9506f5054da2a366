"""The execution plan: what the engine follows, with everything resolved to files on this machine.

Invariant: pure values; ``make_plan`` touches no disk and starts nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeUnit:
    """What a worker of one node loads."""

    model_dir: str
    """Absolute folder of the unpacked archive; working directory and first entry of the import path."""
    handler: str
    """As a manifest writes it: ``file.py``, ``module``, ``module:function``."""
    manifest: Mapping[str, Any] | None
    """The whole manifest of a ``.mar``; ``None`` for function nodes."""
    version: str = "1.0"
    config_file: str | None = None
    """Name of the model's configuration below ``model_dir`` (``model-config.yaml``)."""
    envelope: str | None = None
    """Name of the envelope around the handler (``json``, ``kserve``); ``None`` for none."""
    import_paths: tuple[str, ...] = ()
    """Further absolute folders to import from, after ``model_dir``: privately installed requirements."""
    is_trusted: bool = True
    """Whether pickles of the archive may be loaded in full, and not as weights only."""
    uses_real_ts: bool = False
    """Whether ``import ts`` finds an installed TorchServe instead of our own modules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """One node as the engine and its workers see it."""

    name: str
    kind: NodeKind
    model_name: str
    """What handlers see as ``context.model_name``: ``<workflow>__<node>``."""
    settings: WorkerSettings
    parents: tuple[str, ...]
    children: tuple[str, ...]
    code: CodeUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPlan:
    """Every node, parents first."""

    workflow_name: str
    nodes: tuple[NodePlan, ...]
    queue_size: int = 1000
    startup_timeout_s: float = 120.0

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of the nodes that get the input."""
        return tuple(node.name for node in self.nodes if not node.parents)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Names of the nodes whose outputs make the answer."""
        return tuple(node.name for node in self.nodes if not node.children)


def make_plan(
    workflow: Workflow, *, name: str, code: Mapping[str, CodeUnit], startup_timeout_s: float = 120.0
) -> ExecutionPlan:
    """Join a sound workflow with the resolved code of each node (node name -> ``CodeUnit``)."""
    nodes = tuple(
        NodePlan(
            name=node.name,
            kind=node.kind,
            model_name=f"{name}__{node.name}",
            settings=node.settings,
            parents=node.parents,
            children=node.children,
            code=code[node.name],
        )
        for node in workflow
    )
    return ExecutionPlan(
        workflow_name=name,
        nodes=nodes,
        queue_size=workflow.extension.queue_size,
        startup_timeout_s=startup_timeout_s,
    )
