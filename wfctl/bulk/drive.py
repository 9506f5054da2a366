"""Drives the engine with many inputs: reads ahead, keeps the window full, writes what is settled in input order.

All decisions are taken on the event loop, by callbacks: no task and no future is made for an input. Disks are
touched in two threads, one that reads and one that writes, each with one piece of work at a time.
Invariant: inputs that wait, answers that wait for their turn, and both in bytes, are bounded; every input that was
read has one record, or the run ends with the reason. Nothing polls.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from wfctl.bulk.ahead import ReadAhead
from wfctl.bulk.behind import WriteBehind
from wfctl.bulk.item import Item
from wfctl.bulk.pace import Pace
from wfctl.bulk.sink import Record, Sink
from wfctl.engine.running import AnyRun, RunningEngine
from wfctl.errors import (
    BadInputError,
    DeadlineExceededError,
    OverloadedError,
    RunError,
    UnloadableError,
    WfctlError,
)
from wfctl.hosting.inputs import json_fault

if TYPE_CHECKING:
    from wfctl.engine.core.outcome import RunResult

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_SPAN = 8
"""Windows that may lie between the oldest input without an answer and the newest."""
_MOST_WAITS = 3
"""Times that an input may wait in vain for a worker before that is its failure."""
_PACE_S = 0.02
_PATIENCE_S = 2.0
"""For a reader or a writer that is told to end; a pipe that nobody empties has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a run is driven, and when it ends early."""

    window: int
    """Inputs at work at a time, at most."""
    budget: int
    """Bytes of inputs, and as many of answers, that may be in memory."""
    max_errors: int | None = None
    """Failures after which the run ends; the last of them is written, and nothing behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended."""

    done: int
    """Inputs that this run added to the output."""
    failed: int
    """How many of those failed."""
    is_stopped: bool
    """Whether failures ended it before its last input."""


class _Slot:
    """The place of one input in the order of the output."""

    __slots__ = ("_drive", "has_failed", "item", "record", "run", "waits")

    def __init__(self, drive: "Drive", item: Item) -> None:
        self._drive = drive
        self.item = item
        self.run: AnyRun | None = None
        self.record: Record | None = None
        self.has_failed = False
        self.waits = 0
        """How often it was given up while it waited for a worker that was held up by others."""

    def settled(self, run: AnyRun) -> None:
        """Take the end of the run; the engine calls this once."""
        self._drive.take(self, run)


class Drive:
    """One bulk run on one engine."""

    def __init__(
        self, engine: RunningEngine, chunks: Iterator[list[Item]], sink: Sink, *, terms: Terms, pace: Pace
    ) -> None:
        self._engine = engine
        self._sink = sink
        self._terms = terms
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._ahead = ReadAhead(chunks, budget=terms.budget, on_arrival=self._pump, on_failure=self._fail)
        self._behind = WriteBehind(sink, on_written=self._pump, on_failure=self._fail)
        self._order: deque[_Slot] = deque()
        """From the oldest input without a record in the output to the newest at work."""
        self._again: deque[_Slot] = deque()
        """Inputs in ``_order`` that are to be sent once more, for nothing was said of them."""
        self._at_work = 0
        self._failures_settled = self._failures_paced = 0
        self._done = self._failed = self._position = 0
        self._is_stopped = self._is_refused = self._pump_is_due = False
        self._sample: RunResult | None = None
        self._paced_at = 0.0

    def __repr__(self) -> str:
        return f"Drive({self._done} done, {self._at_work} at work, {len(self._ahead.waiting)} waiting)"

    @property
    def position(self) -> tuple[int, int, int]:
        """How many inputs are done and failed, and how many bytes of input that was."""
        return self._done, self._failed, self._position

    async def run(self, stop_reading: Callable[[], None]) -> Outcome:
        """Drive to the end; ``stop_reading`` ends the waits of the reader. Cancelling leaves a whole output."""
        try:
            self._pump()
            await self._ended
        finally:
            self._give_up()
            stop_reading()
            await self._ahead.close(_PATIENCE_S)
            await self._behind.close(_PATIENCE_S)
        return Outcome(done=self._done, failed=self._failed, is_stopped=self._is_stopped)

    # What the engine tells

    def take(self, slot: _Slot, run: AnyRun) -> None:
        """Take the end of one input's run."""
        item, error = slot.item, run.error
        if error is None:
            self._sample = result = self._engine.result(run)
            slot.record = self._sink.answered(item, result)
        elif (fault := _fault_of(item, error)) is not None:
            self._note_failure(slot, fault)
        elif isinstance(error, DeadlineExceededError) and error.was_waiting and slot.waits < _MOST_WAITS:
            slot.waits += 1
            self._again.append(slot)
            self._come_to_rest(slot)
            return
        elif isinstance(error, RunError) and not isinstance(error, UnloadableError):
            self._note_failure(slot, error)
        elif isinstance(error, OverloadedError):
            self._take_back(slot, error)
            return
        else:  # no verdict on the input: the engine itself, or a node for all inputs to come, is going down
            self._fail(error)
            return
        self._ahead.held_bytes -= item.size
        self._behind.held_bytes += len(slot.record or b"")
        item.parts = ()
        self._come_to_rest(slot)

    def _come_to_rest(self, slot: _Slot) -> None:
        self._at_work -= 1
        self._is_refused = False
        slot.run = None
        if not self._pump_is_due:
            # Once for all that is settled in this turn, so that what goes in goes in together.
            self._pump_is_due = True
            self._loop.call_soon(self._pump)

    def _note_failure(self, slot: _Slot, error: WfctlError | str) -> None:
        slot.record = self._sink.failed(slot.item, error)
        slot.has_failed = True
        self._failures_settled += 1

    def _take_back(self, slot: _Slot, error: OverloadedError) -> None:
        """Have an input wait again that was refused because a queue is full: that is no fault of its own."""
        self._at_work -= 1
        slot.run = None
        if not self._at_work:
            self._fail(error)  # nothing is there to make room: the engine takes no more
            return
        self._is_refused = True
        self._again.appendleft(slot)

    # Going on

    def _pump(self) -> None:
        self._pump_is_due = False
        if self._ended.done():
            return
        try:
            self._keep_pace()
            self._submit()
            self._emit()
            self._ahead.fill()
            self._behind.settle()
            self._end_if_over()
        except Exception as error:  # noqa: BLE001 - supervisor: a callback of the loop has no caller
            self._fail(error)

    def _keep_pace(self) -> None:
        now = self._loop.time()
        sample, has_failures = self._sample, self._failures_settled > self._failures_paced
        if now - self._paced_at < _PACE_S or not (sample or has_failures):
            return
        if sample is not None:
            nodes = self._engine.statistics().nodes
            means = ((node.node, (node.done + node.failed) / node.batches) for node in nodes if node.batches)
            self._pace.note(sample.timings, means)
        else:
            self._pace.note_failures((node.node, node.queued) for node in self._engine.statistics().nodes)
        self._sample, self._failures_paced, self._paced_at = None, self._failures_settled, now

    def _submit(self) -> None:
        waiting, order, terms = self._ahead.waiting, self._order, self._terms
        limit, span = self._pace.limit, _SPAN * terms.window
        while self._again and self._at_work < limit and not self._is_refused:
            self._send(self._again.popleft())
        while (
            waiting
            and self._at_work < limit
            and len(order) < span
            and not self._is_refused
            and self._behind.held_bytes < terms.budget
            and (terms.max_errors is None or self._failures_settled < terms.max_errors)
        ):
            item = waiting.popleft()
            slot = _Slot(self, item)
            order.append(slot)
            if item.fault is not None:
                self._note_failure(slot, item.fault)
                self._behind.held_bytes += len(slot.record or b"")
            else:
                self._send(slot)

    def _send(self, slot: _Slot) -> None:
        self._at_work += 1
        run = self._engine.submit(slot.item.parts, _NO_HEADERS, slot.settled)
        if not run.is_settled:
            slot.run = run

    def _emit(self) -> None:
        order, put = self._order, self._behind.put
        while order and (record := order[0].record) is not None:
            slot = order.popleft()
            put(record)
            self._done += 1
            self._position = slot.item.position
            if slot.has_failed:
                self._failed += 1
                if self._failed == self._terms.max_errors:
                    self._is_stopped = True
                    self._give_up()

    def _end_if_over(self) -> None:
        if (self._order or not self._ahead.is_exhausted) and not self._is_stopped:
            return
        if self._behind.is_idle:
            self._ended.set_result(None)
        else:
            self._behind.flush()

    def _give_up(self) -> None:
        """Withdraw what is at work and forget what waits; what has its record already stays in its place."""
        self._ahead.end()
        for slot in self._order:
            if slot.run is not None and slot.record is None:
                self._engine.withdraw(slot.run)
        self._order.clear()

    def _fail(self, error: BaseException) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)


def _fault_of(item: Item, error: WfctlError) -> str | None:
    """Say that an input that failed is no JSON: its worker may have found no time to say so."""
    if item.text is None or not isinstance(error, RunError):
        return None
    reason = error.message if isinstance(error, BadInputError) else json_fault(item.parts[0].body)
    return None if reason is None else item.not_json(reason)
