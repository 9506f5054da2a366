"""Who works: the replicas of each node, as they tell it themselves.

Serve starts and ends replicas by itself and tells only its own processes, so they are asked: when somebody wants to
know, at most once a second.
"""

import asyncio
import os
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from wfctl.cluster.passing import About
from wfctl.cluster.pauses import pauses
from wfctl.cluster.printed import Printed
from wfctl.cluster.tallies import Staffing
from wfctl.engine.backend import WorkerId, WorkerReport
from wfctl.engine.measured import Measured
from wfctl.engine.watcher import WorkerWatcher

_FRESH_S: Final = 1.0
_LOOK_S: Final = 0.3
_PATIENCE_S: Final = 60.0
_SURELY_S: Final = 5.0
"""After which Serve has surely taken a dead replica out of what it tells."""
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
        self._finding = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._looks_until = 0.0
        self._wanted: dict[str, int] = {}
        """Node that lost a replica -> how many it had."""
        self._asked_at = 0.0
        self.lost = dict.fromkeys(handles, 0)

    async def find(self) -> None:
        """Ask all replicas who they are."""
        async with self._finding:  # of two answers the older one must not come last
            self._asked_at = self._loop.time()
            await asyncio.gather(*(self._find(node) for node in self._handles))

    async def _find(self, node: str) -> None:
        found = await self._handles[node].broadcast("about").results_async(return_exceptions=True)
        there = {each.replica: each for each in found if isinstance(each, About)}
        before = self._there[node]
        if len(there) < len(found):  # somebody did not get to answer, which does not mean that he is gone
            there = {**before, **there}
        self._there[node] = there
        for replica, about in there.items():
            if replica not in before:
                self._last_worker += 1
                worker = WorkerId(self._last_worker)
                self._watcher.ready(WorkerReport(worker=worker, node=node, pid=about.pid, load_s=about.load_s))
        for replica, about in before.items():
            if replica not in there and node in self._wanted:
                self.lost[node] += 1
                self._watcher.lost(node, about.pid, "its replica is there no more")

    def ready(self, node: str) -> int:
        """Return how many replicas have told of themselves."""
        return len(self._there[node])

    def look_again(self) -> None:
        """Ask in the background, unless it was done just now; also for other threads than the loop's."""
        if self._loop.time() - self._asked_at >= _FRESH_S:
            self._loop.call_soon_threadsafe(self._look_again)

    def note_loss(self, node: str) -> None:
        """Learn that a call was lost with its replica; look until another one is in its place."""
        self._wanted[node] = max(self._wanted.get(node, 0), len(self._there[node]))
        self._looks_until = self._loop.time() + _SURELY_S
        if self._looking is None:
            self._looking = self._loop.create_task(self._look_on())

    def _look_again(self) -> None:
        if self._asking is None and not self._is_closed:
            self._ask(self.find())

    def _ask(self, work: Coroutine[Any, Any, None]) -> None:
        self._asking = self._loop.create_task(work)
        self._asking.add_done_callback(self._asked)

    async def _look_on(self) -> None:
        for pause_s in pauses(_LOOK_S):
            await asyncio.gather(self.find(), return_exceptions=True)  # Ray may be busy with what died
            is_staffed = all(len(self._there[node]) >= wanted for node, wanted in self._wanted.items())
            if self._loop.time() > self._looks_until + (0 if is_staffed else _PATIENCE_S):
                break
            await asyncio.sleep(pause_s)  # Serve tells nobody of replicas but its own processes
        self._wanted.clear()
        self._looking = None

    def _asked(self, task: "asyncio.Task[None]") -> None:
        if self._asking is task:
            self._asking = None
        if not task.cancelled():
            task.exception()  # a controller that is away for a moment; who wants to know is told what was known

    async def close(self) -> None:
        """Ask no more."""
        self._is_closed = True
        for task in (self._asking, self._looking):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

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
