"""Everything the engine of one plan remembers: its nodes and how they hang together, its runs, its workers.

Invariant: data only; who may change what, and when, is decided in the modules beside it.
"""

from collections import deque
from math import inf
from typing import TYPE_CHECKING

from wfctl.engine.call import AS_JSON, RequestIds
from wfctl.engine.core.records import NodeState, Run, WorkerSlot
from wfctl.plan import ExecutionPlan

if TYPE_CHECKING:
    from wfctl.engine.backend import WorkerId

LEAST_RETRIES = 10
"""Retries that one run may use up in all its nodes together, unless one node alone is allowed more."""


class CoreState:
    """Everything the engine of one plan remembers."""

    __slots__ = (
        "batches_entries",
        "by_name",
        "deadlines",
        "entries",
        "has_direct_runs",
        "held",
        "idle_s",
        "ids",
        "is_closing",
        "last_call",
        "last_run",
        "last_worker",
        "late_answers",
        "leaves",
        "most_retries",
        "nodes",
        "runs",
        "smallest_queue",
        "stray_answers",
        "wake_at",
        "workers",
    )

    def __init__(self, plan: ExecutionPlan, ids: RequestIds) -> None:
        self.nodes = tuple(NodeState(node, index, plan.queue_size) for index, node in enumerate(plan.nodes))
        self.by_name = {node.name: node for node in self.nodes}
        self.entries = tuple(node for node in self.nodes if node.is_entry)
        self.leaves = tuple(self.nodes[index] for index, node in enumerate(plan.nodes) if not node.children)
        self.ids = ids
        self.idle_s = plan.idle_s
        """How long a worker beyond the least may have nothing to do."""
        self.smallest_queue = min(node.queue_size for node in self.nodes)
        """As long as there are fewer runs, no queue can be full."""
        self.most_retries = max(LEAST_RETRIES, *(node.retry_attempts for node in self.nodes))
        self.runs: dict[int, Run] = {}
        """Runs in flight."""
        self.deadlines: list[tuple[float, int]] = []
        """A heap: deadline and number of the runs that have one, settled ones included."""
        self.workers: dict[WorkerId, WorkerSlot] = {}
        self.held: set[NodeState] = set()
        """Adaptive nodes with a free worker whose batch waits for runs on their way."""
        self.wake_at = inf
        """When time alone may change something: never later than that, possibly earlier."""
        self.is_closing = False
        self.has_direct_runs = False
        """Whether runs of single nodes came in this turn of the loop."""
        self.last_run = 0
        self.last_call = 0
        self.last_worker = 0
        self.late_answers = 0
        """Answers to abandoned attempts."""
        self.stray_answers = 0
        """Answers to calls that were not open: unknown, or answered before."""
        self._join(plan)
        self.batches_entries = any(entry.batch_size > 1 for entry in self.entries)
        """Whether runs may go through an entry together."""

    def _join(self, plan: ExecutionPlan) -> None:
        by_name = self.by_name
        parents: dict[NodeState, list[NodeState]] = {}
        for node, planned in zip(self.nodes, plan.nodes, strict=True):
            node.children = tuple(by_name[name] for name in planned.children)
            node.affected = (node, *node.children)
            parents[node] = [by_name[name] for name in planned.parents]
        for index, leaf in enumerate(self.leaves):
            leaf.leaf_index = index
            leaf.form = AS_JSON if len(self.leaves) > 1 else 0
        for node in self.nodes:
            node.is_adaptive = plan.is_adaptive and node.batch_size > 1 and node.delay_s > 0
            if node.is_adaptive:
                node.ancestors = _ways_to(node, parents)

    def recount(self) -> None:
        """Find out anew what depends on the settings of all nodes.

        Whether batches of a node wait for runs on their way stays as it was: runs in flight are counted by it.
        """
        self.smallest_queue = min(node.queue_size for node in self.nodes)
        self.most_retries = max(LEAST_RETRIES, *(node.retry_attempts for node in self.nodes))
        self.batches_entries = any(entry.batch_size > 1 for entry in self.entries)


def _ways_to(
    node: NodeState, parents: dict[NodeState, list[NodeState]]
) -> tuple[tuple[NodeState, tuple[NodeState, ...]], ...]:
    """Return each ancestor with the nodes on a shortest way from it, breadth first."""
    ways: dict[NodeState, tuple[NodeState, ...]] = dict.fromkeys(parents[node], ())
    ahead = deque(ways)
    while ahead:
        child = ahead.popleft()
        for parent in parents[child]:
            if parent not in ways:
                ways[parent] = (child, *ways[child])
                ahead.append(parent)
    return tuple(ways.items())
