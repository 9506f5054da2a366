"""Where the nodes of a deployment run: in this process, or in worker processes of this machine.

The third way, Ray, is `cluster/engines`, which needs the extra of that name.
"""

import os
import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from wfctl.engine.backend import WorkerBackend
from wfctl.engine.engine import Engine, open_engine
from wfctl.engine.inline_limits import inline_limits
from wfctl.engine.running import Engines
from wfctl.engine.watcher import OnOutput, WorkerWatcher
from wfctl.plan import ExecutionPlan


class BackendStart:
    """A backend that an engine of ours will drive."""

    def __init__(self, backend: WorkerBackend) -> None:
        self._backend = backend

    def opened(
        self, plan: ExecutionPlan, *, on_output: OnOutput, watcher: WorkerWatcher | None
    ) -> AbstractAsyncContextManager[Engine]:
        """Start the workers."""
        return open_engine(plan, self._backend, on_output=on_output, watcher=watcher)

    async def close(self) -> None:
        """End what the backend has started."""
        await self._backend.close()


class LocalEngines:
    """Worker processes of this machine."""

    is_inline = False

    def begin(self, environment: Mapping[str, str] | None) -> BackendStart:
        """Start the process that workers are forked from."""
        from wfctl.engine.local.backend import LocalBackend

        backend = LocalBackend(environment)
        backend.start_early()
        return BackendStart(backend)

    def limits(self, plan: ExecutionPlan) -> tuple[str, ...]:
        """Return nothing: all of a plan is honoured."""
        del plan
        return ()


class InlineEngines:
    """This very process, for debuggers and profilers."""

    is_inline = True

    def begin(self, environment: Mapping[str, str] | None) -> BackendStart:
        """Start nothing; handlers see the environment of this process."""
        del environment
        from wfctl.engine.inline import InlineBackend

        return BackendStart(InlineBackend())

    def limits(self, plan: ExecutionPlan) -> tuple[str, ...]:
        """Return what one process cannot do."""
        return inline_limits(plan)


def engines_named(engine: str, *, inline: bool = False, ray_address: str | None = None) -> Engines:
    """Return the way of hosting that has this name: ``local`` or ``ray``; raises ``ValueError`` for others."""
    if engine == "ray":
        if inline:
            raise ValueError("inline runs are runs of this process, and not of Ray")
        from wfctl.cluster.engines import RayEngines

        return RayEngines(ray_address)
    if engine != "local":
        raise ValueError(f'there is no engine "{engine}": it is "local" or "ray"')
    if ray_address is not None:
        raise ValueError('an address of Ray is for the engine "ray"')
    return InlineEngines() if inline else LocalEngines()


def environment_without(hidden: re.Pattern[str] | None) -> dict[str, str] | None:
    """Return the environment without the ``hidden`` variables, ``None`` if it is as it is."""
    if hidden is None:
        return None
    return {name: value for name, value in os.environ.items() if not hidden.fullmatch(name)}
