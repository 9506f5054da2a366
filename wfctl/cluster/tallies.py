"""What each node of a workflow on Ray has done, added up from what runs tell of their nodes."""

from collections.abc import Iterable
from typing import Final

from wfctl.cluster.passing import Step
from wfctl.engine.statistics import NodeStatistics
from wfctl.plan import ExecutionPlan

_SMOOTH: Final = 0.1
_NS: Final = 1e-9


class _Tally:
    """One node."""

    __slots__ = ("batch_time_s", "batches", "done", "failed", "retried", "sent")

    def __init__(self) -> None:
        self.done = self.failed = self.retried = self.sent = 0
        self.batches = self.batch_time_s = 0.0


class Staffing:
    """Who works for a node at one moment."""

    __slots__ = ("lost", "pids", "queued", "running")

    def __init__(self, pids: tuple[int, ...] = (), *, queued: int = 0, running: int = 0, lost: int = 0) -> None:
        self.pids, self.queued, self.running, self.lost = pids, queued, running, lost


class Tallies:
    """All nodes of one plan."""

    def __init__(self, plan: ExecutionPlan) -> None:
        self._tallies = {node.name: _Tally() for node in plan.nodes}

    def note(self, steps: Iterable[Step], failed: str | None) -> None:
        """Count what one run has done; ``failed`` is the node that failed it."""
        for step in steps:
            tally = self._tallies[step.node]
            tally.retried += step.resent
            tally.sent += 1
            tally.batches += 1 / step.batch if step.batch else 1.0
            if step.node == failed:
                tally.failed += 1
                continue
            tally.done += 1
            took_s = (step.finished_ns - step.started_ns) * _NS
            tally.batch_time_s += (took_s - tally.batch_time_s) * (_SMOOTH if tally.batch_time_s else 1.0)

    def batch_time_s(self, node: str) -> float:
        """Return what a batch of a node takes at present; 0 while nothing was measured."""
        return self._tallies[node].batch_time_s

    def statistics(self, plan: ExecutionPlan, staffing: dict[str, Staffing]) -> tuple[NodeStatistics, ...]:
        """Return what is known of each node."""
        return tuple(self._node(plan, number, staffing) for number in range(len(plan.nodes)))

    def _node(self, plan: ExecutionPlan, number: int, staffing: dict[str, Staffing]) -> NodeStatistics:
        node = plan.nodes[number]
        tally, there = self._tallies[node.name], staffing.get(node.name) or Staffing()
        return NodeStatistics(
            node=node.name,
            queued=there.queued,
            running=there.running,
            done=tally.done,
            failed=tally.failed,
            retried=tally.retried,
            batches=round(tally.batches),
            sent=tally.sent,
            starting=max(0, node.settings.min_workers - len(there.pids)),
            lost=there.lost,
            least=node.settings.min_workers,
            most=node.settings.max_workers,
            batch_time_s=tally.batch_time_s,
            last_failure=None,
            worker_pids=there.pids,
        )
