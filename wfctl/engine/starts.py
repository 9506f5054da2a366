"""The workers of one engine that are being started, and who waits for them.

Invariant: what becomes of a start is told exactly once; while the engine opens, the first failure ends the opening.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from wfctl.engine.backend import WorkerBackend, WorkerId, WorkerReport
from wfctl.errors import StartTimeoutError, WfctlError
from wfctl.plan import ExecutionPlan


class StartListener(Protocol):
    """Who is told what becomes of starts."""

    def worker_ready(self, report: WorkerReport) -> None:
        """Learn that a worker takes calls from now on."""

    def worker_failed(self, worker: WorkerId, failure: WfctlError) -> None:
        """Learn that there will be no such worker, and why."""

    def start_broke(self, error: BaseException) -> None:
        """Learn of an exception of ours."""


class Starts:
    """Starts workers, each in a task of its own."""

    def __init__(self, plan: ExecutionPlan, backend: WorkerBackend, listener: StartListener) -> None:
        self._plan = plan
        self._backend = backend
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[asyncio.Task[WfctlError | None], str] = {}
        """What starts, and for which node."""
        self._opened: asyncio.Future[None] | None = None
        """Waited for while the first workers start."""

    async def first(self, begin: Callable[[], None]) -> None:
        """Begin the first starts and wait for all of them; raises why one failed, and does not wait for the rest."""
        self._opened = self._loop.create_future()
        begin()
        await self._opened
        self._opened = None

    async def of_node(self, node: str, begin: Callable[[], None]) -> list[WfctlError]:
        """Do something, and wait for all workers of a node that start then; returns why some failed."""
        begin()
        starting = [task for task, its in self._tasks.items() if its == node]
        ended = await asyncio.gather(*starting, return_exceptions=True)
        return [each for each in ended if isinstance(each, WfctlError)]

    def start(self, node: str, worker: WorkerId) -> None:
        """Start one worker."""
        task = self._loop.create_task(self._started(node, worker))
        self._tasks[task] = node
        task.add_done_callback(self._ended)

    async def give_up(self) -> None:
        """Give up what still starts."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _started(self, node: str, worker: WorkerId) -> WfctlError | None:
        """Wait for a worker; returns why there is none, if there is none."""
        try:
            report = await self._backend.start_worker(node, worker)
        except (WfctlError, TimeoutError) as error:
            failure = error if isinstance(error, WfctlError) else self._timeout(node)
            if self._opened is not None:
                raise failure from error.__cause__  # ends the opening, which this task is part of
            self._listener.worker_failed(worker, failure)
            return failure
        self._listener.worker_ready(report)
        return None

    def _timeout(self, node: str) -> StartTimeoutError:
        limit, own = self._plan.startup_timeout_of(node), self._plan.startup_timeout_s
        more = "--startup-timeout" if limit == own else "startupTimeout in its model-config.yaml, which beats ours"
        words = f'node "{node}" was not ready after {limit:g} s'
        return StartTimeoutError(words, node=node, hint=f"give it more time ({more})")

    def _ended(self, task: "asyncio.Task[WfctlError | None]") -> None:
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        opened = self._opened
        if opened is None or opened.done():
            if error is not None:
                self._listener.start_broke(error)
        elif error is not None:
            opened.set_exception(error)
        elif not self._tasks:
            opened.set_result(None)
