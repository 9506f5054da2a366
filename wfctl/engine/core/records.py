"""What the engine remembers: nodes with their queues and workers, runs, attempts.

Hot records: plain slotted mutable classes. Times are seconds of one monotonic clock, always passed in.
Invariant: data only; who may change what, and when, is decided in the modules beside it.
"""

from collections import deque
from enum import Enum
from math import inf
from typing import TYPE_CHECKING

from wfctl.engine.backend import WorkerId
from wfctl.engine.call import AS_JSON, FACE_BIT, STANDS_ALONE, Call, CallAnswer, Headers, Input, Part
from wfctl.plan import NodePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from wfctl.errors import WfctlError


class WorkerState(Enum):
    """Where a worker stands in its life; a worker that is gone has no record."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"
    """Gets nothing more, and goes once it has answered what it has."""
    KILLED = "killed"
    """Told to end; its loss is not yet reported."""


class WorkerSlot:
    """One worker of one node."""

    __slots__ = (
        "calls",
        "edition",
        "heard_at",
        "is_going",
        "last_batch",
        "node",
        "pid",
        "state",
        "taken",
        "worker_id",
    )

    def __init__(self, worker_id: WorkerId, node: "NodeState", edition: int) -> None:
        self.worker_id = worker_id
        self.node = node
        self.edition = edition
        """Of the node's code; of a later one than the node's it is on trial."""
        self.is_going = False
        """Whether it was let go; also when it had to be killed then."""
        self.state = WorkerState.STARTING
        self.pid = 0
        self.calls: dict[int, Attempt] = {}
        """What it was sent and has not answered, oldest first; abandoned attempts included."""
        self.last_batch = 0
        """Number of the batch it was sent last; workers count alike."""
        self.taken: set[int] = set()
        """Calls taken back from it while it was silent; until it has spoken of them it is handed nothing.

        They may come back to it: what it says of the first copy must not be taken for the second.
        """
        self.heard_at = 0.0
        """When it became ready, or last answered."""

    @property
    def is_beside(self) -> bool:
        """Whether it is no part of its node's staff: on trial, or about to go."""
        return self.is_going or self.edition > self.node.edition

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to do and nothing to say."""
        return not self.calls and not self.taken

    def __repr__(self) -> str:
        return f"WorkerSlot({self.worker_id}, {self.node.name!r}, {self.state.value}, {len(self.calls)} calls)"


class NodeState:
    """One node: what waits, who works, what was decided before the first run."""

    __slots__ = (
        "affected",
        "alone",
        "ancestors",
        "batch_size",
        "batch_time_s",
        "batches",
        "beside",
        "children",
        "crashes",
        "credit",
        "delay_s",
        "done",
        "edition",
        "failed",
        "failed_starts",
        "failing_since",
        "form",
        "free",
        "grows_after",
        "index",
        "is_adaptive",
        "is_entry",
        "isolates",
        "last_edition",
        "last_failure",
        "leaf_index",
        "load_error",
        "looks_at",
        "lost",
        "max_retry_s",
        "max_workers",
        "min_workers",
        "name",
        "parent_count",
        "planned_workers",
        "present",
        "queue",
        "queue_size",
        "response_timeout_s",
        "restarts",
        "retried",
        "retry_attempts",
        "sent",
        "starting",
        "timeout_ms",
        "timeout_s",
        "trials",
        "workers",
    )

    def __init__(self, plan: NodePlan, index: int, queue_size: int) -> None:
        self.name = plan.name
        self.index = index
        self.parent_count = len(plan.parents)
        self.is_entry = not plan.parents
        self.children: tuple[NodeState, ...] = ()
        self.affected: tuple[NodeState, ...] = (self,)
        """The node and its children: whose queues an answer of this node can change."""
        self.ancestors: tuple[tuple[NodeState, tuple[NodeState, ...]], ...] = ()
        """Each ancestor, nearest first, with the nodes between it and this one on a shortest way; of adaptive nodes."""
        self.leaf_index = -1
        """Place among the leaves, ``-1`` for other nodes."""
        self.form = 0
        """Of its calls, where nothing is special about the run."""
        self.is_adaptive = False
        """Whether a batch that is not full waits only for runs that are on their way."""
        self.set_by(plan, queue_size)
        self._begin()

    def set_by(self, plan: NodePlan, queue_size: int) -> None:
        """Take the settings of a plan."""
        settings = plan.settings
        self.batch_size = settings.batch_size
        # Half of the time-out at most: who waits out all of it for a full batch has no time left to be answered.
        self.delay_s = min(settings.max_batch_delay_ms, settings.timeout_ms / 2) / 1000
        self.retry_attempts = settings.retry_attempts
        self.isolates = plan.isolates
        """Whether calls are sent again after a batch failed or its worker died."""
        self.timeout_ms = settings.timeout_ms
        self.timeout_s = settings.timeout_ms / 1000
        self.response_timeout_s = inf if plan.response_timeout_s is None else plan.response_timeout_s
        """How long a worker may take for what it was sent before it is ended."""
        self.min_workers = settings.min_workers
        self.max_workers = settings.max_workers
        self.planned_workers = (settings.min_workers, settings.max_workers)
        """What the plan says; others were asked for since."""
        self.queue_size = queue_size if plan.queue_size is None else plan.queue_size
        """Attempts that may wait."""
        self.max_retry_s = 300.0 if plan.max_retry_timeout_s is None else plan.max_retry_timeout_s
        """How long failed starts are repeated."""
        self.credit = self.batch_size
        """Calls that may be at a worker, those that run included."""

    def _begin(self) -> None:
        """Start with nothing waiting, nobody there and nothing known."""
        self.queue: deque[Attempt] = deque()
        """Attempts that wait for a worker, oldest first."""
        self.alone: deque[Attempt] = deque()
        """Attempts that wait to be sent in a batch of their own, before all others."""
        self.workers: dict[WorkerId, WorkerSlot] = {}
        self.free: list[WorkerSlot] = []
        """Ready workers without calls, the most recently used last."""
        self.starting = 0
        """Workers that load."""
        self.beside = 0
        """Workers that are no part of its staff: on trial, or about to go."""
        self.edition = 0
        """Counts how often its code was replaced."""
        self.last_edition = 0
        """The newest that was tried, or is."""
        self.trials: dict[int, tuple[NodePlan, int]] = {}
        """Edition on trial -> its plan, and the size of the queue where that does not say it."""
        self.batch_time_s = 0.0
        """Moving average of what the handler needs for a batch; 0 while nothing was measured."""
        self.present = 0
        """Runs in flight that have arrived here, kept for nodes with ``ancestors`` only."""
        self.restarts: list[float] = []
        """When replacements are to be started."""
        self.crashes = 0
        """Workers lost or failed to start since the node last answered."""
        self.lost = 0
        """Workers that ended without being told to."""
        self.failed_starts = 0
        """Starts that failed since the last good one."""
        self.grows_after = 0.0
        """When workers may be started again for calls that wait."""
        self.failing_since = inf
        """When the first of the starts failed since the last good one."""
        self.last_failure: str | None = None
        """Why the last start failed; ``None`` after a good one."""
        self.load_error: WfctlError | None = None
        """Why no more starts are tried."""
        self.looks_at = 0.0
        """When an answer of one worker is next an occasion to see whether another is stuck."""
        self.batches = 0
        """Batches sent."""
        self.sent = 0
        """Calls sent."""
        self.done = 0
        self.failed = 0
        self.retried = 0
        """Attempts after the first, and calls sent again alone."""

    @property
    def waiting(self) -> int:
        """Attempts that wait for a worker."""
        return len(self.queue) + len(self.alone)

    def form_in(self, run: "Run") -> int:
        """Return the form of its calls in a run that is special."""
        if run.only is not None:
            return STANDS_ALONE
        return run.face << FACE_BIT | (AS_JSON if self.leaf_index >= 0 else 0)

    @property
    def staff(self) -> int:
        """Workers that load or work, and are to stay."""
        return len(self.workers) - self.beside

    @property
    def has_ready_worker(self) -> bool:
        """Whether some worker could take calls, now or after those that it has."""
        return any(worker.state is WorkerState.READY for worker in self.workers.values())

    def __repr__(self) -> str:
        return f"NodeState({self.name!r}, {self.waiting} queued, {len(self.workers)} workers)"


class Attempt(Call):
    """One try of one node in one run: what travels, and what the engine knows about it.

    It is live while its run names it for its node. Live and without a worker: it waits in a queue of its node.
    No longer live but in a worker's calls: abandoned, and its answer will be dropped.
    """

    __slots__ = (
        "deaths",
        "enqueued",
        "finished_ns",
        "is_alone",
        "is_shared",
        "node",
        "number",
        "received",
        "run",
        "sent",
        "started_ns",
        "worker",
    )

    run: "Run"
    """Taken away when the attempt succeeds: with it every run would be a cycle, which only the collector frees."""
    sent: float
    received: float
    started_ns: int
    finished_ns: int

    def __init__(  # noqa: PLR0917 - keywords cost time on the hottest path
        self, call_id: int, given: Input, run: "Run", node: NodeState, number: int, now: float
    ) -> None:
        # The base class's fields are set here: one call less on the hottest path. The ids, and the times that come
        # later, are set where they are known.
        self.call_id = call_id
        self.input = given
        self.headers = run.headers
        self.form = node.form_in(run) if run.is_special else node.form
        self.run = run
        self.node = node
        self.number = number
        """Counts from 1."""
        self.enqueued = now
        self.worker: WorkerSlot | None = None
        self.is_alone = False
        """Whether it must be sent in a batch of its own."""
        self.is_shared = False
        """Whether it was sent in a batch with others."""
        self.deaths = 0
        """Workers that died while they ran nothing but this."""

    @property
    def deadline(self) -> float:
        """When its time is up."""
        return self.enqueued + self.node.timeout_s

    @property
    def is_live(self) -> bool:
        """Whether an answer would still be used; asked of attempts that are not done."""
        return self.run.attempts[self.node.index] is self

    @property
    def is_done(self) -> bool:
        """Whether it succeeded."""
        return not hasattr(self, "run")

    def __repr__(self) -> str:
        run = "done" if self.is_done else f"run {self.run.number}"
        return f"Attempt({self.call_id}, {run}, {self.node.name!r}, number {self.number})"


class Run:
    """One workflow executed on one input."""

    __slots__ = (
        "answers",
        "arrived",
        "attempts",
        "error",
        "face",
        "headers",
        "inboxes",
        "is_settled",
        "is_special",
        "limit_s",
        "number",
        "on_settled",
        "only",
        "open_leaves",
        "retries",
        "tag",
    )

    def __init__(
        self,
        number: int,
        headers: Headers,
        on_settled: "Callable[[Run], None]",
        only: "NodeState | None" = None,
        face: int = 0,
    ) -> None:
        self.number = number
        self.headers = headers
        self.on_settled = on_settled
        """The engine's own; the core never calls it."""
        self.only = only
        """The one node that is asked, by itself; ``None`` for the whole workflow."""
        self.face = face
        """A ``Face``, for its entries and leaves."""
        self.is_special = only is not None or face != 0
        self.tag: str | None = None
        """What the input calls itself, as JSON, by the protocol of its face."""
        self.attempts: list[Attempt | None] = []
        """By node index: the latest attempt, live or done."""
        self.arrived: set[int] | None = None
        """Indices of the nodes with ``ancestors`` that it has reached; ``None`` for none."""
        self.inboxes: dict[int, list[Part]] | None = None
        """By index of a node with several parents: what has arrived, in order of completion."""
        self.answers: list[CallAnswer | None] = []
        """By place among the leaves."""
        self.open_leaves = 0
        self.retries = 0
        """Retries used."""
        self.limit_s = inf
        """How long it may take."""
        self.error: WfctlError | None = None
        self.is_settled = False

    def __repr__(self) -> str:
        state = "failed" if self.error else "settled" if self.is_settled else "in flight"
        return f"Run({self.number}, {state})"
