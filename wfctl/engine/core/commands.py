"""What the core asks the engine to do.

Hot records: plain slotted classes. Invariant: a command is a request; its outcome comes back as an event.
"""

from wfctl.engine.backend import WorkerId
from wfctl.engine.core.records import Attempt, Run


class SendBatch:
    """Hand these attempts to a worker as one call of its handler."""

    __slots__ = ("calls", "worker")

    def __init__(self, worker: WorkerId, calls: list[Attempt]) -> None:
        self.worker = worker
        self.calls = calls

    def __repr__(self) -> str:
        return f"SendBatch({self.worker}, {[call.call_id for call in self.calls]})"


class SettleRun:
    """Tell who waits that a run is over; ``run.error`` says whether it failed."""

    __slots__ = ("run",)

    def __init__(self, run: Run) -> None:
        self.run = run

    def __repr__(self) -> str:
        return f"SettleRun({self.run})"


class StartWorker:
    """Start a worker of a node."""

    __slots__ = ("node", "worker")

    def __init__(self, node: str, worker: WorkerId) -> None:
        self.node = node
        self.worker = worker

    def __repr__(self) -> str:
        return f"StartWorker({self.node!r}, {self.worker})"


class KillWorker:
    """End a worker that does not come back from a call."""

    __slots__ = ("worker",)

    def __init__(self, worker: WorkerId) -> None:
        self.worker = worker

    def __repr__(self) -> str:
        return f"KillWorker({self.worker})"


Command = SendBatch | SettleRun | StartWorker | KillWorker
