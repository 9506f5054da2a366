"""What a worker is told when it starts.

Invariant: values only; made by the engine, read once by the worker.
"""

from dataclasses import dataclass

from wfctl.plan import NodePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStart:
    """Everything a new worker must know."""

    node: NodePlan
    threads: int
    """Threads that numerical libraries may use here, so that all workers together use the cores once."""
    request_ids: str
    """Digits that ``RequestIds`` takes."""
    gpu_id: int | None = None
    """The GPU this worker is to compute on, as ``cuda:<number>`` counts them; ``None`` for the CPU."""
