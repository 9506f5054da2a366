"""The execution plan: what the engine follows, with everything resolved to files on this machine.

Invariant: pure values; ``make_plan`` touches no disk and starts nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wfctl.spec.model import Batching, Payload, WorkerSettings
from wfctl.spec.model_config import ModelConfig
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
    limit_max_image_pixels: bool = True
    """Whether handlers of pictures refuse one of very many pixels."""
    is_private: bool = True
    """Whether ``model_dir`` was unpacked for this; else it is a folder of the user's, who may have anything there."""


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
    startup_timeout_s: float | None = None
    """Beats that of the plan: the archive's own ``startupTimeout``."""
    response_timeout_s: float | None = None
    """How long a worker may take for one batch before it is ended and replaced (``responseTimeout``)."""
    max_retry_timeout_s: float | None = None
    """For how long workers that fail or die one after another are replaced before the node is given up; 0 for not at
    all (``maxRetryTimeoutInSec``)."""
    queue_size: int | None = None
    """Beats that of the plan: the archive's own ``jobQueueSize``."""
    isolates: bool = True
    """Whether calls are sent again after a batch of several failed or a worker died."""
    devices: tuple[int, ...] = ()
    """Numbers of the GPUs that the node's workers share, as ``cuda:<number>`` counts them; empty for none."""
    asked_devices: tuple[int, ...] = ()
    """The ``deviceIds`` of the archive, whatever there is here."""
    payload: Payload = Payload.BYTES
    """What travels between this node and its parents and children, but never what enters or leaves the workflow."""
    has_plain_input: bool = False
    """Whether a parent's code is not trusted, so that nothing it sends may choose what is called to rebuild it."""

    resources: Mapping[str, float] = field(default_factory=dict)
    """What one replica takes on a cluster; a machine's own workers take what there is."""

    @property
    def takes_objects(self) -> bool:
        """Whether parents send values, and not bytes."""
        return self.payload is Payload.OBJECT and bool(self.parents)

    @property
    def gives_objects(self) -> bool:
        """Whether children are sent values, and not bytes."""
        return self.payload is Payload.OBJECT and bool(self.children)


QUEUE_SIZE = 1000
"""Calls that may wait for a node where nobody says how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPlan:
    """Every node, parents first."""

    workflow_name: str
    nodes: tuple[NodePlan, ...]
    queue_size: int = QUEUE_SIZE
    startup_timeout_s: float = 120.0
    is_adaptive: bool = True
    """Whether a batch that is not full waits only for runs on their way; else it waits out its delay."""
    idle_s: float = 60.0
    """How long a worker beyond the least may have nothing to do."""

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of the nodes that get the input."""
        return tuple(node.name for node in self.nodes if not node.parents)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Names of the nodes whose outputs make the answer."""
        return tuple(node.name for node in self.nodes if not node.children)

    def queue_size_of(self, node: NodePlan) -> int:
        """Return how many calls may wait for a node."""
        return self.queue_size if node.queue_size is None else node.queue_size

    def startup_timeout_of(self, node: str) -> float:
        """Return how many seconds the loading of one worker of ``node`` may take."""
        own = next((each.startup_timeout_s for each in self.nodes if each.name == node), None)
        return self.startup_timeout_s if own is None else own


@dataclass(frozen=True, slots=True, kw_only=True)
class Processors:
    """What a machine has to compute on."""

    cores: int = 1
    gpus: int = 0


_UNCONFIGURED, _UNKNOWN = ModelConfig(), Processors()


def make_plan(
    workflow: Workflow,
    *,
    name: str,
    code: Mapping[str, CodeUnit],
    startup_timeout_s: float = 120.0,
    response_timeout_s: float | None = None,
    queue_size: int | None = None,
    configs: Mapping[str, ModelConfig] | None = None,
    processors: Processors = _UNKNOWN,
) -> ExecutionPlan:
    """Join a sound workflow with the resolved code of each node (node name -> ``CodeUnit``).

    What the archives say of themselves (``configs``: node name -> configuration) beats the spec, as in the original.
    """
    said = {node.name: (configs or {}).get(node.name, _UNCONFIGURED) for node in workflow}
    nodes = tuple(
        NodePlan(
            name=node.name,
            kind=node.kind,
            model_name=f"{name}__{node.name}",
            settings=_settings(node.settings, said[node.name], processors),
            parents=node.parents,
            children=node.children,
            code=code[node.name],
            startup_timeout_s=said[node.name].startup_timeout_s,
            response_timeout_s=said[node.name].response_timeout_s or response_timeout_s,
            max_retry_timeout_s=said[node.name].max_retry_timeout_s,
            queue_size=said[node.name].queue_size,
            isolates=workflow.extension.isolates(node.name),
            devices=devices_for(said[node.name], processors.gpus),
            asked_devices=said[node.name].device_ids or (),
            payload=workflow.extension.payload,
            resources=workflow.extension.resources(node.name),
            has_plain_input=not all(code[parent].is_trusted for parent in node.parents),
        )
        for node in workflow
    )
    return ExecutionPlan(
        workflow_name=name,
        nodes=nodes,
        queue_size=workflow.extension.queue_size or queue_size or QUEUE_SIZE,
        startup_timeout_s=startup_timeout_s,
        is_adaptive=workflow.extension.batching is Batching.ADAPTIVE,
        idle_s=workflow.extension.idle_s,
    )


def devices_for(config: ModelConfig, gpus: int) -> tuple[int, ...]:
    """Return the GPUs that workers may use; as in the original one number that is not there voids ``deviceIds``."""
    if not config.allows_gpus:
        return ()
    wanted = config.device_ids
    return wanted if wanted and all(0 <= each < gpus for each in wanted) else tuple(range(gpus))


def _settings(settings: WorkerSettings, config: ModelConfig, processors: Processors) -> WorkerSettings:
    """Return the settings with the numbers of workers that an archive asks for.

    The original starts the least and never more by itself, so the most in an archive was never tried by anybody, and
    may be any number: it is a leave, and taken only as far as there are processors that another worker could use.
    """
    if config.workers is None:
        return settings
    least, most = config.workers
    room = len(set(devices_for(config, processors.gpus))) or processors.cores
    return replace(settings, min_workers=least, max_workers=max(least, min(most, room)))
