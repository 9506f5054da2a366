"""The seam between the engine and the ways of hosting workers.

A backend starts workers, hands batches to them and reports what they say. It decides nothing: who gets which
call, what follows a failure and when a worker is replaced is decided in ``engine/core``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

from wfctl.engine.call import Call, CallAnswer
from wfctl.plan import ExecutionPlan

WorkerId = NewType("WorkerId", int)
"""Chosen by the engine, unique in one engine, for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """What a worker that became ready says of itself."""

    worker: WorkerId
    node: str
    pid: int
    """Operating-system process; the caller's own process for the inline backend."""
    load_s: float
    """Seconds from the request to start it until it was ready."""


class WorkerListener(Protocol):
    """Who is told what happens at the workers; always called on the engine's event loop."""

    def worker_answered(self, worker: WorkerId, answers: Sequence[CallAnswer]) -> None:
        """Take the answers to one or more calls of batches sent earlier, in any order."""

    def worker_lost(self, worker: WorkerId, reason: str) -> None:
        """Learn that a ready worker is gone; calls not answered by now never will be. Told exactly once."""

    def worker_printed(self, node: str, stream: str, line: str) -> None:
        """Take one line that user code wrote to ``stdout`` or ``stderr`` (``stream``), without its line end."""


class WorkerBackend(Protocol):
    """How workers are hosted: inline, local processes, Ray."""

    async def open(self, plan: ExecutionPlan, listener: WorkerListener) -> None:
        """Get ready to start workers; called once, before anything else."""

    async def start_worker(self, node: str, worker: WorkerId) -> WorkerReport:
        """Start one worker of ``node`` and return when it can take batches.

        Raises ``LoadError`` (the user's code failed, with its traceback), ``WorkerError`` (the process could
        not be started, or died while loading), ``TimeoutError`` after ``plan.startup_timeout_of(node)`` seconds (the
        worker is gone by then). Cancelling the call removes the worker.
        """

    def send_batch(self, worker: WorkerId, calls: Sequence[Call]) -> None:
        """Hand one batch (one call of the handler) to a ready worker; never blocks, never raises for a lost one.

        The engine takes the payloads out of a call once it is answered; until then they are the backend's.
        """

    def kill_worker(self, worker: WorkerId) -> None:
        """End a worker at once, whatever it does; ``worker_lost`` follows unless the backend is closing."""

    async def close(self) -> None:
        """End every worker and every process of the backend; safe to call twice and after a failed ``open``."""
