"""One worker process for one node, and whoever takes its place: asked batch by batch, inside an actor of Ray Data.

The worker is that of the local engine, so that what a handler does to its process (it dies, it gets stuck) happens to
a process of its own, and the call that did it is known. Invariant: one batch at a time; no Ray in here.
"""

import asyncio
from collections.abc import Callable, Sequence

from wfctl.cluster.tries import Settled, Told, Tries
from wfctl.engine.backend import WorkerBackend, WorkerId
from wfctl.engine.call import Call, CallAnswer, CallError
from wfctl.engine.core.attempts import MOST_DEATHS
from wfctl.engine.measured import Measured
from wfctl.plan import ExecutionPlan, NodePlan

_MOST_WAITS = 3
"""Times that a call may wait in vain for a worker that others hold up before that is its failure."""


_Batch = list[tuple[Call, "asyncio.Future[Told]"]]
"""Calls, and where it is told what became of each; nobody waits any more for one that is told already."""


class _GoneError(Exception):
    """The worker is gone, and with it the batch that it had."""


class Desk:
    """Settles batches of calls with one worker; also the listener of its backend."""

    def __init__(
        self,
        plan: ExecutionPlan,
        node: NodePlan,
        backend: WorkerBackend,
        on_printed: Callable[[str, str, str], None],
    ) -> None:
        self._plan, self._node, self._backend = plan, node, backend
        self._on_printed = on_printed
        self._worker: WorkerId | None = None
        self._last_worker = self._last_batch = 0
        self._waiting: dict[int, asyncio.Future[CallAnswer]] = {}
        """Call -> its answer to come."""
        self._gathered: _Batch = []
        self._turn = asyncio.Lock()
        self._sending: set[asyncio.Task[None]] = set()
        self._tries = Tries(
            node,
            batched=self._with_others,
            alone=self._alone,
            has_begun=lambda call: call.call_id in self._waiting,
            on_abandoned=self._kill,
        )

    async def open(self) -> None:
        """Start the worker; raises ``LoadError``."""
        await self._backend.open(self._plan, self)
        await self._start()

    async def answer(self, calls: Sequence[Call], most_retries: Sequence[int]) -> list[Settled]:
        """Settle calls that make one batch at first; raises ``LoadError`` if no worker loads any more."""
        return await asyncio.gather(*map(self._settled, calls, most_retries))

    async def close(self) -> None:
        """End the worker."""
        await self._backend.close()

    async def _settled(self, call: Call, most_retries: int) -> Settled:
        settled = await self._tries.settle(call, is_alone=False, most_retries=most_retries)
        for _ in range(_MOST_WAITS):
            if settled.failure is None or not settled.failure.was_waiting:
                break
            settled = await self._tries.settle(call, is_alone=True, most_retries=most_retries)
        return settled

    # Batches

    async def _with_others(self, call: Call) -> Told:
        """Send a call together with those that are settled in this turn of the loop."""
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._flush)
        self._gathered.append((call, told))
        return await told

    async def _alone(self, call: Call) -> Told:
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._begin([(call, told)])
        return await told

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._begin(gathered)

    def _begin(self, batch: _Batch) -> None:
        """Send a batch in a task of its own: who gives a call up does not take the worker from others."""
        task = asyncio.get_running_loop().create_task(self._send_in_turn(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_in_turn(self, batch: _Batch) -> None:
        try:
            async with self._turn:
                await self._send(batch)
        except Exception as error:  # noqa: BLE001 - whoever waits for one of the calls is to be told
            for _, told in batch:
                if not told.done():
                    told.set_exception(error)

    async def _send(self, batch: _Batch) -> None:
        """Send what somebody still waits for; of a batch that is lost with its worker each call is sent again alone."""
        deaths = 0
        while batch := [(call, told) for call, told in batch if not told.done()]:
            try:
                answers = await self._asked([call for call, _ in batch])
            except _GoneError as gone:
                deaths += 1
                if not self._node.isolates:
                    answers = [_died(call, f"the worker died: {gone}") for call, _ in batch]
                elif len(batch) > 1:
                    for each in batch:
                        await self._send([each])
                    return
                elif deaths < MOST_DEATHS:
                    continue
                else:
                    words = f"the worker died {deaths} times while it ran this alone: {gone}"
                    answers = [_died(batch[0][0], words)]
            for (_, told), answer in zip(batch, answers, strict=True):
                if not told.done():
                    told.set_result(Told(answer, len(batch)))
            return

    async def _asked(self, calls: Sequence[Call]) -> list[CallAnswer]:
        if self._worker is None:
            await self._start()
        worker, loop = self._worker, asyncio.get_running_loop()
        if worker is None:
            raise _GoneError("it died as soon as it was there")
        self._last_batch += 1
        answers = []
        for call in calls:
            call.batch_id = self._last_batch
            self._waiting[call.call_id] = answer = loop.create_future()
            answers.append(answer)
        self._backend.send_calls(worker, calls)
        limit_s = self._node.response_timeout_s
        late = None if limit_s is None else loop.call_later(limit_s, self._kill)
        try:
            return list(await asyncio.gather(*answers))
        finally:
            if late is not None:
                late.cancel()
            for call in calls:
                self._waiting.pop(call.call_id, None)

    # The worker

    async def _start(self) -> None:
        self._last_worker += 1
        worker = WorkerId(self._last_worker)
        self._last_batch = 0  # workers count alike
        await self._backend.start_worker(self._node.name, worker)
        self._worker = worker

    def _kill(self) -> None:
        """End a worker that does not come back from its handler; another one takes its place."""
        if self._worker is not None:
            self._backend.kill_worker(self._worker)

    def worker_answered(self, worker: WorkerId, answers: Sequence[CallAnswer]) -> None:
        """Take answers."""
        for answer in answers if worker == self._worker else ():
            waiting = self._waiting.get(answer.call_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)

    def worker_lost(self, worker: WorkerId, reason: str, running: int | None = None) -> None:
        """Learn that the worker is gone."""
        del running  # it had one batch
        if worker == self._worker:
            self._worker = None
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(_GoneError(reason))

    def worker_printed(self, node: str, stream: str, line: str) -> None:
        """Pass on what the handler printed."""
        self._on_printed(node, stream, line)

    def worker_measured(self, worker: WorkerId, node: str, pid: int, measured: Measured) -> None:
        """Take nothing: nobody asks."""


def _died(call: Call, message: str) -> CallAnswer:
    error = CallError(message, is_final=True)
    return CallAnswer(call.call_id, error.status, error=error)
