"""One application of Serve: deployed, awaited, changed, deleted.

Invariant: no requests, those are the engine's; what blocks runs in threads.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from ray import serve
from ray.serve.api import RunTarget, run_many
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ApplicationStatusOverview

from wfctl.cluster.layout import NodeLayout, layout_of, most_retries_of
from wfctl.cluster.load_failure import read_load_failure
from wfctl.cluster.passing import ReplicaStart
from wfctl.cluster.pauses import pauses
from wfctl.cluster.replica import NodeReplica
from wfctl.cluster.session import QUIET, SESSION
from wfctl.cluster.sources import CodeSource, sent
from wfctl.engine.call import random_digits
from wfctl.errors import StartTimeoutError, WorkerError
from wfctl.plan import ExecutionPlan

_LOOK_S: Final = 0.1
_CONSTRUCTOR_TRIES: Final = 3
_DEPLOY_FAILED, _RUNNING = "DEPLOY_FAILED", "RUNNING"


class Application:
    """A plan as an application of Serve."""

    is_own = True
    """Whether it has the numbers of replicas that the plan asks for, and can be given others."""

    def __init__(self, name: str, source: CodeSource, hidden_names: tuple[str, ...]) -> None:
        self.name = name
        self._source = source
        self._hidden = hidden_names
        self._digits = random_digits()
        self._is_submitted = False

    def __repr__(self) -> str:
        return f"Application({self.name!r})"

    async def deploy(self, plan: ExecutionPlan) -> None:
        """Deploy the plan, or go over to it, and return once every node has the replicas that it must have.

        Raises ``LoadError``, ``StartTimeoutError`` or ``WorkerError``; what was deployed is still there then.
        """
        submitting = asyncio.ensure_future(asyncio.to_thread(self._submit, plan))
        try:
            await asyncio.shield(submitting)
        except asyncio.CancelledError:
            await asyncio.wait([submitting])  # what is deleted next must be there by then
            raise
        begun, was_there = time.monotonic(), False
        for pause_s in pauses(_LOOK_S):
            status = (await asyncio.to_thread(serve.status)).applications.get(self.name)
            if status is None and was_there:
                raise WorkerError("Serve took the application away")
            if status is not None:
                was_there = True
                if status.status == _RUNNING:
                    return
                self._raise_failure(status)
                self._raise_late(plan, status, time.monotonic() - begun)
            await asyncio.sleep(pause_s)  # Serve tells nobody of changes but its own processes

    def _submit(self, plan: ExecutionPlan) -> None:
        SESSION.start_serve()
        self._is_submitted = True
        with SESSION.building:
            target = RunTarget(target=self._target(plan), name=self.name, route_prefix=None, logging_config=QUIET)
            run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)

    def handles(self, plan: ExecutionPlan) -> Mapping[str, DeploymentHandle[Any]]:
        """Return the handle of each node."""
        return handles_of(plan, self.name)

    async def delete(self) -> None:
        """Take it away."""
        if self._is_submitted:
            await asyncio.shield(asyncio.to_thread(serve.delete, self.name))

    def _target(self, plan: ExecutionPlan) -> Any:
        return bound_nodes(
            plan, source=self._source, hidden=self._hidden, digits=self._digits, reserves=SESSION.is_joined
        )[-1]

    def _raise_failure(self, status: ApplicationStatusOverview) -> None:
        for deployment in status.deployments.values():
            failure = read_load_failure(deployment.message)
            if failure is not None:
                raise failure
        if status.status == _DEPLOY_FAILED:
            failure = read_load_failure(status.message)
            raise failure or WorkerError(f"Serve did not deploy it: {_first_line(status.message)}")

    def _raise_late(self, plan: ExecutionPlan, status: ApplicationStatusOverview, waited_s: float) -> None:
        for node in plan.nodes:
            limit_s = plan.startup_timeout_of(node.name)
            found = status.deployments.get(node.name)
            ready = 0 if found is None else found.replica_states.get("RUNNING", 0)
            if waited_s > limit_s and ready < node.settings.min_workers:
                waits = "" if found is None or not found.message else f": {_first_line(found.message)}"
                raise StartTimeoutError(
                    f'node "{node.name}" was not ready after {limit_s:g} s{waits}',
                    node=node.name,
                    hint="is there a machine in the cluster with the resources that it wants? `ray status` tells",
                )


def bound_nodes(
    plan: ExecutionPlan, *, source: CodeSource, hidden: tuple[str, ...], digits: str, reserves: bool
) -> list[Any]:
    """Return the deployments of all nodes, on the last of which the others hang.

    Serve wants one that others hang on; which one does not matter to a node.
    """

    def bind(layout: NodeLayout, *others: Any) -> Any:
        # Serve replaces all replicas of a deployment when it is made of anything else: how many there are is for it.
        node = layout.node
        start = sent(
            ReplicaStart(
                node=replace(node, settings=replace(node.settings, min_workers=1, max_workers=1)),
                source=source,
                request_ids=digits,
                most_retries=most_retries_of(plan),
                hidden_names=hidden,
            )
        )
        deployment: Any = serve.deployment(NodeReplica)
        options = {
            **layout.options,
            "max_constructor_retry_count": _CONSTRUCTOR_TRIES,
            "logging_config": QUIET,
            # Without one Serve makes one up each time, and replaces all replicas where only their number changes.
            "version": sha256(start[-1]).hexdigest(),
            "_internal": True,
        }
        return deployment.options(**options).bind(*start, *others)

    *others, last = layout_of(plan, reserves=reserves)
    bound = [bind(each) for each in others]
    return [*bound, bind(last, *bound)]


def handles_of(plan: ExecutionPlan, application: str) -> Mapping[str, DeploymentHandle[Any]]:
    """Return the handle of each node of a plan that Serve has as this application."""
    return {
        node.name: serve.get_deployment_handle(node.name, application, _check_exists=False).options(method_name="run")
        for node in plan.nodes
    }


def _first_line(text: str) -> str:
    return (text.strip() or "it does not say why").splitlines()[0]
