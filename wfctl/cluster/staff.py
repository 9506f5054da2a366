"""Who works: the replicas of each node, as they tell it themselves.

Serve starts and ends replicas by itself and tells only its own processes, so they are asked: when somebody wants to
know, at most once a second.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Final

from wfctl.cluster.passing import About
from wfctl.cluster.printed import Printed
from wfctl.cluster.tallies import Staffing
from wfctl.engine.backend import WorkerId, WorkerReport
from wfctl.engine.measured import Measured
from wfctl.engine.watcher import WorkerWatcher

_FRESH_S: Final = 1.0
_FLUSH_S: Final = 3.0


class Staff:
    """The replicas of one application."""

    def __init__(self, handles: Mapping[str, Any], watcher: WorkerWatcher) -> None:
        self._handles = handles
        self._watcher = watcher
        self._there: dict[str, dict[str, About]] = {node: {} for node in handles}
        self._last_worker = 0
        self._loop = asyncio.get_running_loop()
        self._asking: asyncio.Task[None] | None = None
        self._is_closed = False
        self._asked_at = 0.0
        self.lost = dict.fromkeys(handles, 0)

    async def find(self) -> None:
        """Ask all replicas who they are."""
        self._asked_at = self._loop.time()
        await asyncio.gather(*(self._find(node) for node in self._handles))

    async def _find(self, node: str) -> None:
        found = await self._handles[node].broadcast("about").results_async(return_exceptions=True)
        there = {each.replica: each for each in found if isinstance(each, About)}
        before, self._there[node] = self._there[node], there
        for replica, about in there.items():
            if replica not in before:
                self._last_worker += 1
                worker = WorkerId(self._last_worker)
                self._watcher.ready(WorkerReport(worker=worker, node=node, pid=about.pid, load_s=about.load_s))
        for replica, about in before.items():
            if replica not in there:
                self._watcher.lost(node, about.pid, "its replica is there no more")

    def ready(self, node: str) -> int:
        """Return how many replicas have told of themselves."""
        return len(self._there[node])

    def look_again(self) -> None:
        """Ask in the background, unless it was done just now; also for other threads than the loop's."""
        if self._loop.time() - self._asked_at >= _FRESH_S:
            self._loop.call_soon_threadsafe(self._look_again)

    def _look_again(self) -> None:
        if self._asking is None and not self._is_closed:
            self._asking = self._loop.create_task(self.find())
            self._asking.add_done_callback(self._asked)

    def _asked(self, task: "asyncio.Task[None]") -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()  # a controller that is away for a moment; who wants to know is told what was known

    async def close(self) -> None:
        """Ask no more."""
        self._is_closed = True
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def flush(self, printed: Printed) -> None:
        """Wait for what handlers printed, which Ray brings when it finds the time."""
        token = os.urandom(8).hex()
        streams = 2 * sum(map(len, self._there.values()))
        ends = printed.expect_end(token, streams)
        try:
            handles = self._handles.values()
            told = [each.broadcast("say_end", token).results_async(return_exceptions=True) for each in handles]
            await asyncio.gather(*told, return_exceptions=True)
            await asyncio.to_thread(ends.wait, _FLUSH_S)
        finally:
            printed.forget_end(token)

    async def tell_measured(self) -> None:
        """Ask what handlers measured, and tell the watcher."""
        for node, handle in self._handles.items():
            found = await handle.broadcast("measured").results_async(return_exceptions=True)
            for each in found:
                if not isinstance(each, BaseException):
                    about, measured = each
                    if isinstance(measured, Measured):
                        self._watcher.measured(node, about.pid, measured)

    def there(self) -> dict[str, Staffing]:
        """Return what is known of each node at this moment."""
        return {
            node: Staffing(
                tuple(each.pid for each in there.values()),
                queued=sum(each.queued for each in there.values()),
                running=sum(each.running for each in there.values()),
                lost=self.lost[node],
            )
            for node, there in self._there.items()
        }
