"""A plan that Serve itself has deployed from a config file: its deployments, and the engine that asks them.

Whoever deploys such a file is gone when requests come, so nobody here starts, scales or deletes anything.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from wfctl.cluster.application import bound_nodes, handles_of
from wfctl.cluster.engine import open_ray_engine
from wfctl.cluster.sources import CodeSource
from wfctl.engine.call import random_digits
from wfctl.engine.running import RunningEngine
from wfctl.engine.watcher import OnOutput, WorkerWatcher
from wfctl.plan import ExecutionPlan


def exported_application(plan: ExecutionPlan, source: CodeSource, app: Any, *, ingress: str) -> Any:
    """Return a Serve application of all nodes, with ``app`` (ASGI) as the deployment ``ingress`` before them."""
    nodes = bound_nodes(plan, source=source, hidden=(), digits=random_digits(), reserves=True)
    deployment: Any = serve.deployment(serve.ingress(app)())
    return deployment.options(name=ingress).bind(*nodes)


class DeployedNodes:
    """The nodes of the Serve application that this process belongs to; in the place of an ``Application``."""

    is_own = False

    async def deploy(self, plan: ExecutionPlan) -> None:
        """Do nothing: Serve has deployed them."""

    def handles(self, plan: ExecutionPlan) -> Mapping[str, DeploymentHandle[Any]]:
        """Return the handle of each node."""
        return handles_of(plan, serve.get_replica_context().app_name)

    async def delete(self) -> None:
        """Do nothing: they go with the application."""


class DeployedEngines:
    """Engines of plans whose nodes Serve has deployed beside the process that asks them."""

    is_inline = False

    def begin(self, environment: Mapping[str, str] | None) -> "DeployedEngines":
        """Begin nothing."""
        del environment
        return self

    def limits(self, plan: ExecutionPlan) -> tuple[str, ...]:
        """Return nothing: what Ray cannot do was refused when the file was written."""
        del plan
        return ()

    def opened(
        self, plan: ExecutionPlan, *, on_output: OnOutput, watcher: WorkerWatcher | None
    ) -> AbstractAsyncContextManager[RunningEngine]:
        """Wait until every node has a replica."""
        del on_output  # what handlers print is in Ray's logs
        return open_ray_engine(plan, DeployedNodes(), watcher or WorkerWatcher())

    async def close(self) -> None:
        """End nothing."""
