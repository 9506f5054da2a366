"""What the engine remembers: nodes with their queues and workers, runs, attempts.

Hot records: plain slotted mutable classes. Times are seconds of one monotonic clock, always passed in.
Invariant: data only; who may change what, and when, is decided in ``events``.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from math import inf
from typing import TYPE_CHECKING

from wfctl.engine.backend import WorkerId
from wfctl.engine.call import Call, CallAnswer, Part
from wfctl.plan import ExecutionPlan, NodePlan

if TYPE_CHECKING:
    from wfctl.errors import WfctlError


class WorkerState(Enum):
    """Where a worker stands in its life; a worker that is gone has no record."""

    STARTING = "starting"
    READY = "ready"
    KILLED = "killed"
    """Told to end; its loss is not yet reported."""


class WorkerSlot:
    """One worker of one node."""

    __slots__ = ("calls", "node", "pid", "state", "worker_id")

    def __init__(self, worker_id: WorkerId, node: "NodeState") -> None:
        self.worker_id = worker_id
        self.node = node
        self.state = WorkerState.STARTING
        self.pid = 0
        self.calls: dict[int, Attempt] = {}
        """What it was sent and has not answered, oldest first; abandoned attempts included."""

    def __repr__(self) -> str:
        return f"WorkerSlot({self.worker_id}, {self.node.name!r}, {self.state.value}, {len(self.calls)} calls)"


class NodeState:
    """One node: what waits, who works, what was decided before the first run."""

    __slots__ = (
        "affected",
        "as_json",
        "batch_size",
        "batches",
        "children",
        "crashes",
        "delay_s",
        "done",
        "failed",
        "free",
        "index",
        "is_entry",
        "leaf_index",
        "load_error",
        "load_failures",
        "max_workers",
        "name",
        "parent_count",
        "queue",
        "queue_size",
        "restarts",
        "retry_attempts",
        "timeout_ms",
        "timeout_s",
        "workers",
    )

    def __init__(self, plan: NodePlan, index: int, queue_size: int) -> None:
        settings = plan.settings
        self.name = plan.name
        self.index = index
        self.parent_count = len(plan.parents)
        self.is_entry = not plan.parents
        self.children: tuple[NodeState, ...] = ()
        self.affected: tuple[NodeState, ...] = (self,)
        """The node and its children: whose queues an answer of this node can change."""
        self.leaf_index = -1
        """Place among the leaves, ``-1`` for other nodes."""
        self.as_json = False
        self.batch_size = settings.batch_size
        # Half of the time-out at most: who waits out all of it for a full batch has no time left to be answered.
        self.delay_s = min(settings.max_batch_delay_ms, settings.timeout_ms / 2) / 1000
        self.retry_attempts = settings.retry_attempts
        self.timeout_ms = settings.timeout_ms
        self.timeout_s = settings.timeout_ms / 1000
        self.max_workers = settings.max_workers
        self.queue: deque[Attempt] = deque()
        """Attempts that wait for a worker, oldest first."""
        self.queue_size = queue_size if plan.queue_size is None else plan.queue_size
        """Attempts that may wait."""
        self.workers: dict[WorkerId, WorkerSlot] = {}
        self.free: list[WorkerSlot] = []
        """Ready workers without calls, the most recently used last."""
        self.restarts: list[float] = []
        """When replacements are to be started."""
        self.crashes = 0
        """Workers lost or failed to start since the node last answered."""
        self.load_failures = 0
        """Failed starts since the last good one."""
        self.load_error: WfctlError | None = None
        """Why no more starts are tried."""
        self.done = 0
        self.failed = 0
        self.batches = 0
        """Batches that were handed to workers."""

    def __repr__(self) -> str:
        return f"NodeState({self.name!r}, {len(self.queue)} queued, {len(self.workers)} workers)"


class Attempt(Call):
    """One try of one node in one run: what travels, and what the engine knows about it.

    It is live while its run names it as current. Live and without a worker: it waits in its node's queue.
    No longer live but in a worker's calls: abandoned, and its answer will be dropped.
    """

    __slots__ = (
        "deadline",
        "enqueued",
        "finished_ns",
        "node",
        "number",
        "received",
        "run",
        "sent",
        "started_ns",
        "worker",
    )

    def __init__(  # noqa: PLR0917 - keywords cost time on the hottest path
        self, call_id: int, parts: Sequence[Part], request_id: str, run: "Run", node: NodeState, number: int, now: float
    ) -> None:
        # The base class's fields are set here: one call less on the hottest path.
        self.call_id = call_id
        self.parts = parts
        self.headers = run.headers
        self.request_id = request_id
        self.as_json = node.as_json
        self.run = run
        """Taken away when the attempt succeeds."""
        self.node = node
        self.number = number
        """Counts from 1."""
        self.enqueued = now
        self.deadline = now + node.timeout_s
        self.sent = 0.0
        self.received = 0.0
        self.started_ns = 0
        self.finished_ns = 0
        self.worker: WorkerSlot | None = None

    @property
    def is_live(self) -> bool:
        """Whether an answer would still be used."""
        return self.run.current[self.node.index] is self

    def __repr__(self) -> str:
        run = f"run {self.run.number}" if hasattr(self, "run") else "done"
        return f"Attempt({self.call_id}, {run}, {self.node.name!r}, number {self.number})"


class Run:
    """One workflow executed on one input."""

    __slots__ = (
        "answers",
        "current",
        "done",
        "error",
        "headers",
        "inboxes",
        "is_settled",
        "number",
        "on_settled",
        "open_leaves",
        "parts",
    )

    def __init__(
        self, number: int, parts: Sequence[Part], headers: Mapping[str, str], on_settled: "Callable[[Run], None]"
    ) -> None:
        self.number = number
        self.parts = parts
        self.headers = headers
        self.on_settled = on_settled
        """The engine's own; the core never calls it."""
        self.current: list[Attempt | None] = []
        """By node index: the live attempt."""
        self.inboxes: dict[int, list[Part]] = {}
        """By index of a node with several parents: what has arrived, in order of completion."""
        self.answers: list[CallAnswer | None] = []
        """By place among the leaves."""
        self.open_leaves = 0
        self.done: list[Attempt] = []
        """The successful attempt of each node that is done, in order of completion."""
        self.error: WfctlError | None = None
        self.is_settled = False

    def __repr__(self) -> str:
        state = "failed" if self.error else "settled" if self.is_settled else f"{len(self.done)} nodes done"
        return f"Run({self.number}, {state})"


class CoreState:
    """Everything the engine of one plan remembers."""

    __slots__ = (
        "entries",
        "is_closing",
        "last_call",
        "last_run",
        "last_worker",
        "late_answers",
        "leaves",
        "new_request_id",
        "nodes",
        "runs",
        "stray_answers",
        "wake_at",
        "workers",
    )

    def __init__(self, plan: ExecutionPlan, new_request_id: Callable[[], str]) -> None:
        self.nodes = tuple(NodeState(node, index, plan.queue_size) for index, node in enumerate(plan.nodes))
        self.entries = tuple(node for node in self.nodes if node.is_entry)
        self.leaves = tuple(self.nodes[index] for index, node in enumerate(plan.nodes) if not node.children)
        self.new_request_id = new_request_id
        self.runs: dict[int, Run] = {}
        """Runs in flight."""
        self.workers: dict[WorkerId, WorkerSlot] = {}
        self.wake_at = inf
        """When time alone may change something: never later than that, possibly earlier."""
        self.is_closing = False
        self.last_run = 0
        self.last_call = 0
        self.last_worker = 0
        self.late_answers = 0
        """Answers to abandoned attempts."""
        self.stray_answers = 0
        """Answers to calls that were not open: unknown, or answered before."""
        self._join(plan)

    def _join(self, plan: ExecutionPlan) -> None:
        by_name = {node.name: node for node in self.nodes}
        for node, planned in zip(self.nodes, plan.nodes, strict=True):
            node.children = tuple(by_name[name] for name in planned.children)
            node.affected = (node, *node.children)
        for index, leaf in enumerate(self.leaves):
            leaf.leaf_index = index
            leaf.as_json = len(self.leaves) > 1
