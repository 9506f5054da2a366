"""Other code for nodes of a running workflow, tried in a worker of its own before it takes the others' place.

Invariant: each node goes over by itself; one whose new code does not load goes on with what it has.
"""

from collections.abc import Callable, Collection
from typing import Any

from wfctl.engine.core import changes
from wfctl.engine.core.state import CoreState
from wfctl.engine.editions import Editions
from wfctl.engine.starts import Starts
from wfctl.errors import WfctlError, WorkerError
from wfctl.plan import ExecutionPlan, NodePlan


class Renewal:
    """One request for other code."""

    def __init__(self, state: CoreState, starts: Starts, editions: Editions, react: Callable[..., Any]) -> None:
        self._state = state
        self._starts = starts
        self._editions = editions
        self._react = react
        """Lets an event happen to the core, and what follows."""

    async def run(self, plan: ExecutionPlan, names: Collection[str]) -> tuple[list[str], list[WfctlError]]:
        """Try these nodes of a plan, one after another; returns those that went over, and why others did not."""
        renewed: list[str] = []
        failures: list[WfctlError] = []
        for planned in plan.nodes:
            if planned.name in names:
                failure = await self._tried(planned, plan.queue_size)
                if failure is None:
                    renewed.append(planned.name)
                else:
                    failures.append(failure)
        return renewed, failures

    async def _tried(self, planned: NodePlan, queue_size: int) -> WfctlError | None:
        node, editions = self._state.by_name[planned.name], self._editions
        edition = node.last_edition + 1
        editions.add(planned, edition)
        self._react(changes.code_changed, node, planned, queue_size)
        trial = next((each.worker_id for each in node.workers.values() if each.edition == edition), None)
        failure = None if trial is None else await self._starts.of_worker(trial)
        if node.edition < edition:
            editions.drop(planned.name, edition)
            return failure or WorkerError(f'node "{planned.name}" was not loaded again: the workflow ends')
        editions.adopt(planned, edition)
        return None
