"""The workers of one engine that are being started, and who waits for them.

Invariant: what becomes of a start is told exactly once; while the engine opens, the first failure ends the opening.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
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
        self._tasks: dict[WorkerId, tuple[str, asyncio.Task[WfctlError | None]]] = {}
        """What starts, with its node."""
        self._opened: asyncio.Future[None] | None = None
        """Waited for while the first workers start."""

    async def first(self, begin: Callable[[], None]) -> None:
        """Begin the first starts and wait for all of them; raises why one failed, and does not wait for the rest."""
        self._opened = self._loop.create_future()
        begin()
        await self._opened
        self._opened = None

    async def of_node(self, node: str) -> WfctlError | None:
        """Wait for all workers of a node that start now; returns why one of them failed."""
        tasks = [task for its, task in self._tasks.values() if its == node]
        return next((found for found in await _ended(tasks) if found is not None), None)

    async def of_worker(self, worker: WorkerId) -> WfctlError | None:
        """Wait for one worker; returns why it failed, if it did."""
        return next(iter(await _ended([task for _, task in filter(None, [self._tasks.get(worker)])])), None)

    def start(self, node: str, worker: WorkerId) -> None:
        """Start one worker."""
        task = self._loop.create_task(self._started(node, worker))
        self._tasks[worker] = (node, task)
        task.add_done_callback(partial(self._note_end, worker))

    def end(self, worker: WorkerId) -> None:
        """Give up a start that nobody wants any more; harmless for a worker that has started."""
        found = self._tasks.get(worker)
        if found is not None:
            found[1].cancel()

    async def give_up(self) -> None:
        """Give up what still starts."""
        tasks = [task for _, task in self._tasks.values()]
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

    def _note_end(self, worker: WorkerId, task: "asyncio.Task[WfctlError | None]") -> None:
        self._tasks.pop(worker, None)
        error = None if task.cancelled() else task.exception()
        opened = self._opened
        if opened is None or opened.done():
            if error is not None:
                self._listener.start_broke(error)
        elif error is not None:
            opened.set_exception(error)
        elif not self._tasks:
            opened.set_result(None)


async def _ended(tasks: Sequence["asyncio.Task[WfctlError | None]"]) -> list[WfctlError | None]:
    """Wait until starts have ended, and leave them to go on if the waiting is given up; one given up is no failure."""
    if tasks:
        await asyncio.wait(tasks)
    return [None if task.cancelled() or task.exception() is not None else task.result() for task in tasks]
