"""What an engine tells, and asks, for whoever watches its workers.

Invariant: takes no part in the work: nobody who watches can hold up a run.
"""

from collections.abc import Callable

from wfctl.engine.backend import WorkerBackend, WorkerReport
from wfctl.engine.core.records import WorkerState
from wfctl.engine.core.state import CoreState
from wfctl.engine.measured import Measured

OnOutput = Callable[[str, str, str], None]
"""Takes node, stream (``stdout`` or ``stderr``) and one line of what user code printed."""


class WorkerWatcher:
    """Who is told what becomes of workers; this one does nothing with it."""

    def ready(self, report: WorkerReport) -> None:
        """Learn that a worker takes calls."""

    def lost(self, node: str, pid: int, reason: str) -> None:
        """Learn that a worker ended without being told to."""

    def measured(self, node: str, pid: int, measured: Measured) -> None:
        """Take what the handler of a worker measured since its start; also after the worker was told to end."""


def ask_ready_workers(state: CoreState, backend: WorkerBackend) -> int:
    """Ask every ready worker for what its handler measured; returns how many of them have nothing else to do."""
    ready = [slot for slot in state.workers.values() if slot.state is WorkerState.READY]
    asked = [slot for slot in ready if backend.ask_metrics(slot.worker_id)]
    return sum(slot.is_idle for slot in asked)
