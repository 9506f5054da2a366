"""What an engine is doing and has done, as values for whoever watches it."""

from dataclasses import dataclass

from wfctl.engine.core.records import NodeState, WorkerState
from wfctl.engine.core.state import CoreState


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatistics:
    """What one node is doing and has done."""

    node: str
    queued: int
    running: int
    """Calls at workers, those handed ahead and abandoned ones included."""
    done: int
    """Runs in which the node succeeded."""
    failed: int
    """Runs that the node failed."""
    retried: int
    """Attempts after the first, and calls that were sent again alone."""
    batches: int
    """Batches sent to workers."""
    sent: int
    """Calls in them."""
    starting: int
    """Workers that load."""
    lost: int
    """Workers that ended without being told to."""
    least: int
    """Workers that there should be."""
    most: int
    """Workers that there may be."""
    batch_time_s: float
    """What a batch takes at present, a moving average; 0 while nothing was measured."""
    last_failure: str | None
    """Why the last worker did not start; ``None`` if it did."""
    worker_pids: tuple[int, ...]
    """Process of each ready worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatistics:
    """The engine at one moment."""

    runs: int
    """Runs in flight."""
    nodes: tuple[NodeStatistics, ...]
    late_answers: int
    """Answers that came after their attempt was given up."""
    stray_answers: int
    """Answers to no open call; anything but zero is a fault of a worker."""


def statistics_of(state: CoreState) -> EngineStatistics:
    """Return what the engine is doing and has done."""
    return EngineStatistics(
        runs=len(state.runs),
        nodes=tuple(_node_statistics(node) for node in state.nodes),
        late_answers=state.late_answers,
        stray_answers=state.stray_answers,
    )


def _node_statistics(node: NodeState) -> NodeStatistics:
    workers = node.workers.values()
    return NodeStatistics(
        node=node.name,
        queued=node.waiting,
        running=sum(len(worker.calls) for worker in workers),
        done=node.done,
        failed=node.failed,
        retried=node.retried,
        batches=node.batches,
        sent=node.sent,
        starting=node.starting,
        lost=node.lost,
        least=node.min_workers,
        most=node.max_workers,
        batch_time_s=node.batch_time_s,
        last_failure=node.load_error.message if node.load_error else node.last_failure,
        worker_pids=tuple(worker.pid for worker in workers if worker.state is WorkerState.READY),
    )
