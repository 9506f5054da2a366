"""What the core asks the engine to do.

Hot records: plain slotted classes. Invariant: a command is a request; its outcome comes back as an event.
"""

from collections.abc import Sequence

from wfctl.engine.backend import WorkerId
from wfctl.engine.core.records import Attempt, Run


class SendCalls:
    """Hand these attempts to a worker; neighbours with one ``batch_id`` are one call of its handler."""

    __slots__ = ("calls", "worker")

    def __init__(self, worker: WorkerId, calls: list[Attempt]) -> None:
        self.worker = worker
        self.calls = calls

    def __repr__(self) -> str:
        return f"SendCalls({self.worker}, {[(call.call_id, call.batch_id) for call in self.calls]})"


class SettleRun:
    """Tell who waits that a run is over; ``run.error`` says whether it failed."""

    __slots__ = ("run",)

    def __init__(self, run: Run) -> None:
        self.run = run

    def __repr__(self) -> str:
        return f"SettleRun({self.run})"


class WithdrawCalls:
    """Tell a worker not to begin these calls; whether it had begun one is told by its answer."""

    __slots__ = ("call_ids", "worker")

    def __init__(self, worker: WorkerId, call_ids: Sequence[int]) -> None:
        self.worker = worker
        self.call_ids = call_ids

    def __repr__(self) -> str:
        return f"WithdrawCalls({self.worker}, {list(self.call_ids)})"


class AskProgress:
    """Find out which batch a silent worker runs, so that others can take those that it has not begun."""

    __slots__ = ("worker",)

    def __init__(self, worker: WorkerId) -> None:
        self.worker = worker

    def __repr__(self) -> str:
        return f"AskProgress({self.worker})"


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


class RetireWorker:
    """Let a worker end that has nothing to do; nothing more is heard of it."""

    __slots__ = ("worker",)

    def __init__(self, worker: WorkerId) -> None:
        self.worker = worker

    def __repr__(self) -> str:
        return f"RetireWorker({self.worker})"


Command = SendCalls | SettleRun | WithdrawCalls | AskProgress | StartWorker | KillWorker | RetireWorker
