"""One replica of one node: the process on Ray that has loaded the node's code and answers for it.

Serve makes one object of ``NodeReplica`` for each; its calls come on one event loop, and user code runs in one thread
beside it. Invariant: a call never raises: what becomes of it is a ``Passed``.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic_ns
from typing import Any

from ray import serve

from wfctl.cluster.layout import delay_of
from wfctl.cluster.load_failure import told_through_ray
from wfctl.cluster.passing import About, Asked, Passed, ReplicaStart, failure_of, steps_of
from wfctl.cluster.printed import say_end
from wfctl.cluster.sources import received
from wfctl.cluster.tries import Told, Tries
from wfctl.engine.call import Call, Headers, Input, Part, Pieces, RequestIds
from wfctl.engine.measured import MOST_SERIES, Measured
from wfctl.hosting.failures import all_failed
from wfctl.hosting.host import Host, load_host
from wfctl.hosting.measured import read_measured
from wfctl.hosting.pickles import allow_own_pickles
from wfctl.hosting.place import enter_model_dir


class NodeReplica:
    """A loaded node on Ray; also given the handles of others, so that Serve knows them as one application."""

    def __init__(self, version: str, name: str, start: bytes, *_others: object) -> None:
        begun = time.monotonic()
        with told_through_ray(name):
            told: ReplicaStart = received(version, name, start)
            self._host = _loaded(told)
        self._start, self._node = told, told.node
        self._delay_s = delay_of(told.node)
        self._load_s = time.monotonic() - begun
        self._ids = RequestIds(told.request_ids)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="wfctl-handler")
        self._turn = asyncio.Lock()
        self._begun: set[int] = set()
        self._batch = 0
        """Counts the batches that have begun."""
        self._is_running = False
        self._at_work = 0
        self._replica = serve.get_replica_context().replica_id.unique_id
        settings = told.node.settings
        self._gather: Any = serve.batch(max_batch_size=settings.batch_size, batch_wait_timeout_s=self._delay_s)(
            self._answered
        )
        self._tries = Tries(
            told.node,
            batched=self._gather,
            alone=self._answered_alone,
            has_begun=lambda call: call.call_id in self._begun,
            on_abandoned=self._end_unless_done,
        )

    async def run(self, asked: Asked, parts: Sequence[Part] | None, *parents: Passed) -> Passed:
        """Answer for one run; the entries get the client's ``parts``, other nodes what their parents passed on."""
        arrived_ns = monotonic_ns()
        steps = steps_of(parents)
        tag = next((each.tag for each in parents if each.tag is not None), None)
        failure = failure_of(parents)
        if failure is not None:
            return Passed(None, steps, failure, tag)
        call = Call(asked.call_id, _input(parts, parents, self._node.parents), self._ids)
        call.headers, call.form = Headers(None, asked.headers), asked.form
        if self._delay_s:
            self._gather.set_batch_wait_timeout_s(0.0 if asked.is_hurried else self._delay_s)
        left = self._start.most_retries - sum(step.retries for step in steps)
        self._at_work += 1
        try:
            settled = await self._tries.settle(call, is_alone=asked.is_alone, most_retries=left)
        finally:
            self._at_work -= 1
        return settled.passed_on(self._node.name, steps, arrived_ns=arrived_ns, left_ns=monotonic_ns(), tag=tag)

    async def about(self) -> About:
        """Say which process this is."""
        running = len(self._begun)
        return About(self._replica, os.getpid(), self._load_s, self._at_work - running, running)

    async def measured(self) -> tuple[About, Measured]:
        """Say what the handler measured since the start."""
        try:
            series, left_out = await asyncio.get_running_loop().run_in_executor(
                self._thread, read_measured, self._host.metrics, MOST_SERIES
            )
        except Exception:  # noqa: BLE001 - handlers can put objects of their own where this looks
            series, left_out = [], 0
        return await self.about(), Measured(series=tuple(series), left_out=left_out)

    async def say_end(self, token: str) -> None:
        """Print the end of what was printed so far."""
        say_end(token)

    # Batches

    async def _answered(self, calls: list[Call]) -> list[Told]:
        """Answer one batch in the handler's thread; ``serve.batch`` gathers its calls."""
        loop, limit_s = asyncio.get_running_loop(), self._node.response_timeout_s
        async with self._turn:
            late = None if limit_s is None else loop.call_later(limit_s, os._exit, 1)
            try:
                return await loop.run_in_executor(self._thread, self._answered_here, calls)
            finally:
                if late is not None:
                    late.cancel()

    async def _answered_alone(self, call: Call) -> Told:
        return (await self._answered([call]))[0]

    def _answered_here(self, calls: list[Call]) -> list[Told]:
        ids = [call.call_id for call in calls]
        self._batch += 1
        self._begun.update(ids)
        self._is_running = True
        # The replica outlives whatever a handler raises, `sys.exit` included.
        try:
            answers = self._host.answer(calls)
        except BaseException as reason:  # noqa: BLE001
            answers = all_failed(ids, reason)
        finally:
            self._is_running = False
            self._begun.difference_update(ids)
        for answer in answers:
            if type(answer.body) is Pieces:  # the handler's own memory, which its next call may change
                answer.body = bytes(answer.body)
        return [Told(answer, len(calls)) for answer in answers]

    def _end_unless_done(self) -> None:
        """End this process if its handler is still at the same batch when another time-out has passed."""
        batch, loop = self._batch, asyncio.get_running_loop()

        def look() -> None:
            if self._is_running and self._batch == batch:
                os._exit(1)  # no thread can be ended in another way; Serve puts a new replica in its place

        loop.call_later(self._node.settings.timeout_ms / 1000, look)


def _input(parts: Sequence[Part] | None, parents: Sequence[Passed], names: Sequence[str]) -> Input:
    if parts is not None:
        return parts
    # Copies: what Ray hands over may be read only, or shared with another try.
    bodies = [bytearray(each.answer.body) for each in parents if each.answer is not None]
    if len(bodies) == 1:
        return bodies[0]
    return [Part(name, body) for name, body in zip(names, bodies, strict=True)]


def _loaded(start: ReplicaStart) -> Host:
    """Make this process the node's, and load its code."""
    node = start.node
    for name in start.hidden_names:
        os.environ.pop(name, None)
    allow_own_pickles(is_trusted=node.code.is_trusted)
    enter_model_dir(node.code.model_dir, node.code.import_paths)
    return load_host(node, gpu_id=_gpu())


def _gpu() -> int | None:
    """Return the number of the GPU that Ray has given to this replica: the only one that it sees."""
    import ray

    return 0 if ray.get_runtime_context().get_accelerator_ids().get("GPU") else None
