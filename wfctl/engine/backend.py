"""The seam between the engine and the ways of hosting workers.

A backend starts workers, hands calls to them and reports what they say. It decides nothing: who gets which
call, what follows a failure and when a worker is replaced is decided in ``engine/core``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

from wfctl.engine.call import Call, CallAnswer
from wfctl.engine.measured import Measured
from wfctl.plan import ExecutionPlan, NodePlan

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
        """Take the answers to one or more calls sent earlier, in any order."""

    def worker_lost(self, worker: WorkerId, reason: str, running: int | None = None) -> None:
        """Learn that a ready worker is gone; calls not answered by now never will be. Told exactly once.

        ``running`` is the batch that it ran (``Call.batch_id``), 0 for none, ``None`` where that is not known.
        """

    def worker_printed(self, node: str, stream: str, line: str) -> None:
        """Take one line that user code wrote to ``stdout`` or ``stderr`` (``stream``), without its line end."""

    def worker_measured(self, worker: WorkerId, node: str, pid: int, measured: Measured) -> None:
        """Take what the handler of a worker measured, also of one that was told to end; follows ``ask_metrics``."""


class WorkerBackend(Protocol):
    """How workers are hosted: inline, local processes, Ray."""

    async def open(self, plan: ExecutionPlan, listener: WorkerListener) -> None:
        """Get ready to start workers; called once, before anything else."""

    def plan_worker(self, worker: WorkerId, planned: NodePlan) -> None:
        """Start this worker by another plan of its node than the one that was opened with; told before its start."""

    async def start_worker(self, node: str, worker: WorkerId) -> WorkerReport:
        """Start one worker of ``node`` and return when it can take calls.

        Raises ``LoadError`` (the user's code failed, with its traceback), ``WorkerError`` (the process could
        not be started, or died while loading), ``TimeoutError`` after ``plan.startup_timeout_of(node)`` seconds (the
        worker is gone by then). Cancelling the call removes the worker.
        """

    def send_calls(self, worker: WorkerId, calls: Sequence[Call]) -> None:
        """Hand calls to a ready worker, which runs them batch by batch; never blocks, never raises for a lost one.

        Neighbours with one ``batch_id`` are one batch, that is one call of the handler. The engine takes the payloads
        out of a call once it is answered; until then they are the backend's.
        """

    def withdraw_calls(self, worker: WorkerId, call_ids: Sequence[int]) -> None:
        """Ask a worker not to begin these calls; for each that it had not begun the answer is ``WITHDRAWN``."""

    def running_batch(self, worker: WorkerId) -> int | None:
        """Return the batch that a worker runs at this moment, 0 for none, ``None`` where that is not known."""

    def ask_metrics(self, worker: WorkerId) -> bool:
        """Ask a ready worker for what its handler measured; ``worker_measured`` follows, after what it does now.

        Returns whether it was asked. It is not within a second of the last time, nor before it has answered that;
        where workers are no processes of their own nobody ever is.
        """

    def retire_worker(self, worker: WorkerId) -> None:
        """Let a worker end that has no calls; nothing more is told of it."""

    def kill_worker(self, worker: WorkerId) -> None:
        """End a worker at once, whatever it does; ``worker_lost`` follows unless the backend is closing."""

    async def close(self) -> None:
        """End every worker and every process of the backend; safe to call twice and after a failed ``open``."""
