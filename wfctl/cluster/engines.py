"""Ray as the place where nodes run: the door of this room.

Invariant: Ray is imported when a deployment begins, and not before.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from wfctl.cluster.refusals import refuse_impossible
from wfctl.engine.running import RunningEngine
from wfctl.engine.watcher import OnOutput, WorkerWatcher
from wfctl.errors import UnsupportedError
from wfctl.handlers.extras import command_for
from wfctl.plan import ExecutionPlan

if TYPE_CHECKING:
    from wfctl.cluster.printed import OnLine


class RayEngines:
    """Replicas on a Ray that is started here, or on a cluster at an address."""

    is_inline = False

    def __init__(self, address: str | None = None) -> None:
        self._address = address

    def begin(self, environment: Mapping[str, str] | None) -> "RayStart":
        """Begin to start Ray; raises ``UnsupportedError`` where it is not installed."""
        expect_ray()
        return RayStart(self._address, hidden_names(environment))

    def limits(self, plan: ExecutionPlan) -> tuple[str, ...]:
        """Return nothing: what Ray cannot do is refused."""
        del plan
        return ()


class RayStart:
    """One deployment's part in the Ray of this process."""

    def __init__(self, address: str | None, hidden_names: tuple[str, ...]) -> None:
        self._hidden = hidden_names
        self._entering = asyncio.ensure_future(asyncio.to_thread(_enter, address))

    def opened(
        self, plan: ExecutionPlan, *, on_output: OnOutput, watcher: WorkerWatcher | None
    ) -> AbstractAsyncContextManager[RunningEngine]:
        """Deploy the nodes."""
        return self._opened(plan, on_output, watcher or WorkerWatcher())

    @asynccontextmanager
    async def _opened(
        self, plan: ExecutionPlan, on_output: OnOutput, watcher: WorkerWatcher
    ) -> AsyncIterator[RunningEngine]:
        refuse_impossible(plan)
        await asyncio.shield(self._entering)
        from wfctl.cluster.application import Application
        from wfctl.cluster.depot import Shipping
        from wfctl.cluster.engine import open_ray_engine
        from wfctl.cluster.session import SESSION

        name = f"{plan.workflow_name}-{os.urandom(4).hex()}"
        SESSION.printed.send(name, _on_loop(on_output))
        shipping = Shipping()
        try:
            source = await asyncio.to_thread(shipping.open, plan)
            async with open_ray_engine(plan, Application(name, source, self._hidden), watcher) as engine:
                yield engine
        finally:
            shipping.close()
            SESSION.printed.send(name, None)

    async def close(self) -> None:
        """Need Ray no longer; the last one ends it."""
        await asyncio.wait([self._entering])
        if not self._entering.cancelled() and self._entering.exception() is None:
            await asyncio.shield(asyncio.to_thread(_leave))


def _on_loop(on_output: OnOutput) -> "OnLine":
    loop = asyncio.get_running_loop()

    def take(node: str, stream: str, line: str) -> None:
        loop.call_soon_threadsafe(on_output, node, stream, line)

    return take


def _enter(address: str | None) -> None:
    from wfctl.cluster.session import SESSION

    SESSION.enter(address)


def _leave() -> None:
    from wfctl.cluster.session import SESSION

    SESSION.leave()


def hidden_names(environment: Mapping[str, str] | None) -> tuple[str, ...]:
    """Return the variables of this process that are not in ``environment``; none where that is ``None``."""
    return () if environment is None else tuple(sorted(os.environ.keys() - environment.keys()))


def expect_ray() -> None:
    """Raise ``UnsupportedError`` where Ray is not installed."""
    from importlib.util import find_spec

    if find_spec("ray") is None or find_spec("starlette") is None or find_spec("pyarrow") is None:
        raise UnsupportedError("Ray is not installed here", hint=f"install it with: {command_for('ray')}")
