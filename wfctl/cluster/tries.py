"""What a replica makes of one call: batches, further attempts, a batch of its own, the end of its time.

The rules are those of ``engine/core/attempts``, for one node and without its queues, which are Ray's.
Invariant: no Ray in here; what answers batches is handed in.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from wfctl.cluster.passing import Answered, Failure, Passed, Step
from wfctl.engine.call import TAG, Call, CallAnswer, CallError
from wfctl.plan import NodePlan

_MESSAGE_BYTES = 10_000
_FIRST_ERROR_STATUS = 400


class Told(NamedTuple):
    """What a batch says of one of its calls."""

    answer: CallAnswer
    size: int
    """Calls in the batch."""


class Settled(NamedTuple):
    """How a call ended, after so many attempts."""

    told: Told | None
    failure: Failure | None
    number: int
    resent: int

    @property
    def retries(self) -> int:
        """Attempts after the first."""
        return self.number - 1

    def passed_on(
        self,
        node: str,
        before: tuple[Step, ...],
        *,
        arrived_ns: int | None = None,
        left_ns: int | None = None,
        tag: str | None = None,
    ) -> Passed:
        """Return what the node hands on after the steps before it; without times it neither waited nor queued."""
        answer, size = (None, 0) if self.told is None else self.told
        started_ns, finished_ns = (0, 0) if answer is None else (answer.started_ns, answer.finished_ns)
        step = Step(
            node,
            self.number,
            self.resent,
            size,
            started_ns if arrived_ns is None else arrived_ns,
            started_ns,
            finished_ns,
            finished_ns if left_ns is None else left_ns,
        )
        if self.failure is not None or answer is None:
            return Passed(None, (*before, step), self.failure, tag)
        return Passed(Answered.of(answer), (*before, step), None, (answer.headers or {}).get(TAG, tag))


class Tries:
    """Settles the calls of one node."""

    def __init__(
        self,
        node: NodePlan,
        *,
        batched: Callable[[Call], Awaitable[Told]],
        alone: Callable[[Call], Awaitable[Told]],
        has_begun: Callable[[Call], bool],
        on_abandoned: Callable[[], None],
    ) -> None:
        self._node = node
        self._batched = batched
        self._alone = alone
        self._has_begun = has_begun
        self._on_abandoned = on_abandoned
        """Told when a call is given up that its handler still runs."""

    async def settle(self, call: Call, *, is_alone: bool, most_retries: int) -> Settled:
        """Return the answer to a call, or why it has none; ``most_retries`` are left to the run."""
        node, number, resent, told = self._node, 1, 0, None
        most = min(node.settings.retry_attempts, most_retries)
        while True:
            try:
                async with asyncio.timeout(node.settings.timeout_ms / 1000):
                    told = await (self._alone if is_alone else self._batched)(call)
                    error = _error_in(told.answer)
                    if error is not None and error.is_of_batch and told.size > 1 and node.isolates:
                        resent += 1  # not known to be at fault, it costs no attempt
                        told = await self._alone(call)
                        error = _error_in(told.answer)
            except TimeoutError:
                has_begun = self._has_begun(call)
                if has_begun:
                    self._on_abandoned()
                may_retry, failure = node.isolates, self._out_of_time(number, has_begun=has_begun)
            else:
                if error is None:
                    return Settled(told, None, number, resent)
                may_retry, failure = node.isolates and not error.is_final, self._failed(error, number)
            if not may_retry or number > most:
                return Settled(told, failure, number, resent)
            number, resent, is_alone = number + 1, resent + 1, is_alone or node.settings.batch_size > 1

    def _failed(self, error: CallError, number: int) -> Failure:
        kind = "input" if error.is_of_input else "run"
        return Failure(self._node.name, number, error.message, error.status, error.traceback_text, kind=kind)

    def _out_of_time(self, number: int, *, has_begun: bool) -> Failure:
        node = self._node
        where = "the handler did not answer" if has_begun else "no worker was free for it"
        return Failure(
            node.name,
            number,
            f'node "{node.name}" used up its {node.settings.timeout_ms} ms, {where} (attempt {number} of {number})',
            504,
            hint='raise "timeout-ms", or give the node more workers',
            kind="deadline",
            was_waiting=not has_begun,
        )


def _error_in(answer: CallAnswer) -> CallError | None:
    """Return why an answer is none; a status of failure is one of the handler's own verdicts."""
    if answer.error is None and answer.status >= _FIRST_ERROR_STATUS:
        message = bytes(answer.body[:_MESSAGE_BYTES]).decode("utf-8", "replace") or f"status {answer.status}"
        return CallError(message, status=answer.status, is_final=True)
    return answer.error
