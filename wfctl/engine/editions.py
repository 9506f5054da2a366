"""Which code each worker of a running workflow is of.

Invariant: a worker is started by the plan of its own edition, whatever is tried or adopted meanwhile.
"""

from dataclasses import replace

from wfctl.plan import ExecutionPlan, NodePlan


class Editions:
    """The plans that the nodes of one engine were ever to follow, as long as a worker may still start by them."""

    def __init__(self, plan: ExecutionPlan) -> None:
        self.plan = plan
        """What is followed now: each node by its adopted edition."""
        self._plans: dict[tuple[str, int], NodePlan] = {}

    def add(self, planned: NodePlan, edition: int) -> None:
        """Take an edition that is going to be tried."""
        self._plans[planned.name, edition] = planned

    def plan_of(self, node: str, edition: int) -> NodePlan | None:
        """Return the plan of an edition; ``None`` for the one that the engine was opened with."""
        return self._plans.get((node, edition))

    def adopt(self, planned: NodePlan, edition: int) -> None:
        """Follow an edition; those before it start no workers any more."""
        nodes = tuple(planned if node.name == planned.name else node for node in self.plan.nodes)
        self.plan = replace(self.plan, nodes=nodes)
        self._plans = {
            (name, each): plan for (name, each), plan in self._plans.items() if name != planned.name or each >= edition
        }

    def drop(self, node: str, edition: int) -> None:
        """Forget an edition that did not load."""
        self._plans.pop((node, edition), None)
