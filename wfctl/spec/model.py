"""The value of a workflow spec: what the YAML text says, with the place where it says so.

Invariant: values only. No YAML, no files; nothing here decides whether the spec is sound.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from wfctl.diagnostics.model import SourceText, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How the workers of one node are run; the defaults are those of TorchServe Workflows."""

    min_workers: int = 1
    max_workers: int = 1
    batch_size: int = 1
    max_batch_delay_ms: int = 50
    retry_attempts: int = 1
    """Attempts after the first."""
    timeout_ms: int = 10_000
    """Upper bound of one attempt, waiting in the queue included."""


SETTING_FIELDS = {
    "min-workers": "min_workers",
    "max-workers": "max_workers",
    "batch-size": "batch_size",
    "max-batch-delay": "max_batch_delay_ms",
    "retry-attempts": "retry_attempts",
    "timeout-ms": "timeout_ms",
}
"""The six reserved keys as a spec writes them -> the field of ``WorkerSettings``."""


class Batching(StrEnum):
    """What a batch that is not full waits for."""

    ADAPTIVE = "adaptive"
    """Runs on their way to the node that may arrive within its delay; else a free worker takes what waits at once."""
    FIXED = "fixed"
    """The end of its delay, as in TorchServe."""


class Payload(StrEnum):
    """What travels on the edges of the graph; at its entries and leaves it is always bytes."""

    BYTES = "bytes"
    """What TorchServe hands over."""
    OBJECT = "object"
    """Python values and tensors as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One entry of ``models``, globals already applied."""

    name: str
    name_span: Span
    url: str | None
    url_span: Span | None
    sha256: str | None
    settings: WorkerSettings
    spans: Mapping[str, Span] = field(default_factory=dict)
    """Key as written (``batch-size``) -> place of its value, only for keys this entry sets itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One item of a dag list: "the node above feeds into this one"."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class DagEntry:
    """One key of ``dag`` with its list; blank targets are already left out."""

    name: str
    span: Span
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """One entry of ``wfctl: functions:``."""

    name: str
    span: Span
    settings: WorkerSettings
    spans: Mapping[str, Span] = field(default_factory=dict)
    """Key as written -> place of its value, only for keys this entry sets itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """One entry of ``wfctl: nodes:``."""

    name: str
    span: Span
    isolates: bool = True
    """Whether calls that reached a handler are sent again: alone after a batch failed, or as a further attempt."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """What one replica takes on a cluster: name of a resource -> how much of it."""
    spans: Mapping[str, Span] = field(default_factory=dict)
    """Key as written -> place of its value, only for keys this entry sets itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """What stands under ``wfctl:`` and the engine can do."""

    functions: Mapping[str, FunctionSettings] = field(default_factory=dict)
    nodes: Mapping[str, NodeOptions] = field(default_factory=dict)
    batching: Batching = Batching.ADAPTIVE
    payload: Payload = Payload.BYTES
    objects_span: Span | None = None
    """Place of the word ``object``; ``None`` where bytes travel."""
    allows_many_entries: bool = False
    queue_size: int | None = None
    """Calls that may wait at one node; beyond it runs are refused. ``None`` where the spec does not say."""
    idle_s: int = 60
    """Seconds without work after which a worker beyond ``min-workers`` ends."""

    def isolates(self, node: str) -> bool:
        """Whether calls of ``node`` that reached its handler may be sent again."""
        own = self.nodes.get(node)
        return own is None or own.isolates

    def resources(self, node: str) -> Mapping[str, float]:
        """Return what one replica of ``node`` takes on a cluster, as far as the spec says it."""
        own = self.nodes.get(node)
        return {} if own is None else own.resources


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowSpec:
    """A whole spec."""

    source: SourceText
    defaults: WorkerSettings
    """The global keys of ``models``."""
    globals_spans: Mapping[str, Span]
    """Global key as written -> place of the key, in the order of the text."""
    models: Mapping[str, ModelSpec]
    models_span: Span | None
    """Place of the key ``models``; ``None`` for a function-only workflow."""
    dag: tuple[DagEntry, ...]
    dag_span: Span
    extension: Extension = Extension()

    def function_settings(self, name: str) -> WorkerSettings:
        """Return the settings of a function node: fixed as in TorchServe unless ``wfctl: functions:`` says else."""
        own = self.extension.functions.get(name)
        if own is not None:
            return own.settings
        return WorkerSettings(
            max_batch_delay_ms=0,
            retry_attempts=self.defaults.retry_attempts,
            timeout_ms=self.defaults.timeout_ms,
        )
