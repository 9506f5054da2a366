"""Two ways for a synchronous caller to drive the engine's event loop.

``ThreadPortal`` runs the loop in a thread, so that timers, answers and the output of workers are served while the
caller does something else. ``InlinePortal`` runs it in the calling thread and only during calls: with the inline
backend the user's handlers then run in the main thread, where ``breakpoint()`` works.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Portal(Protocol):
    """A way to run coroutines from outside the loop."""

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` to its end and return its result; an interrupt cancels it and waits for that."""

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start ``work`` and return a future of its result."""

    def stop(self) -> None:
        """End the loop."""


class ThreadPortal:
    """The loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="wfctl-engine", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(_wind_up(self._loop))
        self._loop.close()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start ``work`` on the loop's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` on the loop's thread and wait for it; if the wait is interrupted, cancel it and see it end."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("the engine cannot be waited for from its own thread; await apredict there")
        outcome: Future[T] = Future()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(partial(_tell, outcome))

        def give_up() -> None:
            if tasks:
                tasks[0].cancel()
            else:  # interrupted before it was begun
                work.close()
                outcome.cancel()
                outcome.set_running_or_notify_cancel()

        try:
            self._loop.call_soon_threadsafe(begin)
            return outcome.result()
        except BaseException:
            if not outcome.done():
                # What it started (processes, folders) is taken down by the work itself, and that needs the loop.
                self._loop.call_soon_threadsafe(give_up)
                wait([outcome])
            raise

    def stop(self) -> None:
        """End the loop and its thread; what still runs there is cancelled."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


async def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


async def _end_of(task: "asyncio.Task[Any]") -> None:
    await asyncio.wait([task])


def _tell(outcome: "Future[T]", task: "asyncio.Task[T]") -> None:
    """Hand the end of a task to whoever waits outside the loop."""
    if task.cancelled():
        outcome.cancel()
        outcome.set_running_or_notify_cancel()  # only this wakes those who wait for it
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


class InlinePortal:
    """The loop in the calling thread."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run ``work`` to its end here; the future is done when it is returned."""
        future: Future[T] = Future()
        try:
            future.set_result(self.call(work))
        except Exception as error:  # noqa: BLE001 - a future carries whatever the work raised
            future.set_exception(error)
        return future

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` to its end here; Ctrl-C in a handler stops the loop, and ``work`` is then cancelled."""
        tasks: list[asyncio.Task[T]] = []

        async def begin() -> T:
            tasks.append(asyncio.ensure_future(work))
            return await tasks[0]

        try:
            return self._runner.run(begin())
        except KeyboardInterrupt:
            # Nobody will answer what the handler was called with: closing must not wait for it.
            if tasks and tasks[0].cancel():
                self._runner.run(_end_of(tasks[0]))
            raise

    def stop(self) -> None:
        """End the loop."""
        self._runner.close()
