"""Bodies that take time to take apart are taken apart in threads, so that the loop goes on.

Invariant: few at a time, in the order in which they came; nothing is begun for a client that has left meanwhile, and
its body is not kept.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from wfctl.errors import OverloadedError, WfctlError
from wfctl.web.answers import error_response, failure_response
from wfctl.web.asked import Asked, Forget
from wfctl.web.wire.messages import RequestError, Response

Parts = TypeVar("Parts")

MOST_AT_ONCE = 2
"""Threads: more of them would only keep the loop waiting for the interpreter."""
MOST_WAITING = 256


class _Opening:
    """One body."""

    __slots__ = ("asked", "forget_run", "is_left")

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.is_left = False
        self.forget_run: Forget | None = None

    def forget(self) -> None:
        """Learn that the client has left."""
        self.is_left = True
        self.asked.body = bytearray()
        if self.forget_run is not None:
            self.forget_run()


class Openings(Generic[Parts]):
    """All bodies of one server that are being taken apart, or wait for it."""

    def __init__(self, tasks: "set[asyncio.Task[None]]") -> None:
        self._tasks = tasks
        """Whoever ends the server waits for these."""
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0

    def begin(
        self,
        asked: Asked,
        *,
        look: Callable[[], object],
        take_apart: Callable[[], Parts],
        go_on: Callable[[Parts, float], Forget],
    ) -> Forget:
        """Take a body apart in a thread and go on with it, and the seconds that it took.

        ``look`` is asked before, once it has its turn, and raises why it would be in vain. Raises ``OverloadedError``.
        """
        if self._waiting >= MOST_WAITING:
            raise OverloadedError("too many bodies wait to be taken apart")
        opening = _Opening(asked)
        self._waiting += 1
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._opened(opening, look, take_apart, go_on))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return opening.forget

    async def _opened(
        self,
        opening: _Opening,
        look: Callable[[], object],
        take_apart: Callable[[], Parts],
        go_on: Callable[[Parts, float], Forget],
    ) -> None:
        loop, asked = asyncio.get_running_loop(), opening.asked
        began = loop.time()
        try:
            try:
                await self._turns.acquire()
            finally:
                self._waiting -= 1
            try:
                if opening.is_left:
                    return
                look()
                parts = await asyncio.to_thread(take_apart)
            finally:
                self._turns.release()
            if not opening.is_left:
                opening.forget_run = go_on(parts, loop.time() - began)
        except Exception as error:  # noqa: BLE001 - supervisor: a request has one answer, whatever happens to it
            if not opening.is_left:
                asked.reply(_failure(error))


def _failure(error: Exception) -> Response:
    if isinstance(error, RequestError | WfctlError):
        return failure_response(error)
    context = {"message": "a body could not be taken apart", "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)
    return error_response(500, "The server failed.")
