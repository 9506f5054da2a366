"""Drives an engine that takes inputs as a stream: hands them over as they are read, writes answers as they come.

The counterpart of ``Drive``, which keeps the window of an engine full: here the engine bounds what is on its way.
Two threads: the engine's own reads the inputs, another one takes the answers and writes them.
Invariant: every input that was read has one record, in its order, or the run ends with the reason.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from wfctl.bulk.drive import Outcome, Terms
from wfctl.bulk.item import Item
from wfctl.bulk.sink import Record, Sink
from wfctl.engine.call import Part
from wfctl.engine.running import StreamedRun, StreamingEngine
from wfctl.errors import BadInputError, InternalError, RunError, UnloadableError, WfctlError


class Flow:
    """One bulk run on one streaming engine."""

    def __init__(self, engine: StreamingEngine, chunks: Iterator[list[Item]], sink: Sink, *, terms: Terms) -> None:
        self._engine = engine
        self._chunks = chunks
        self._sink = sink
        self._terms = terms
        self._order: deque[Item] = deque()
        """What was read and has no record yet; one thread appends, the other takes."""
        self._records: list[Record] = []
        self._done = self._failed = self._position = 0
        self._is_stopped = self._is_told_to_end = False

    def __repr__(self) -> str:
        return f"Flow({self._done} done, {len(self._order)} on their way)"

    @property
    def position(self) -> tuple[int, int, int]:
        """How many inputs are done and failed, and how many bytes of input that was."""
        return self._done, self._failed, self._position

    async def run(self, stop_reading: Callable[[], None]) -> Outcome:
        """Drive to the end; ``stop_reading`` ends the waits of the reader. Cancelling leaves a whole output."""
        work = asyncio.ensure_future(asyncio.to_thread(self._take_all))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self._is_told_to_end = True
            stop_reading()
            await asyncio.to_thread(self._engine.stop)
            await asyncio.wait([work])
            work.exception()  # what ends a stream that is told to end is no news
            raise
        finally:
            stop_reading()
        return Outcome(done=self._done, failed=self._failed, is_stopped=self._is_stopped)

    # The engine's reading thread

    def _inputs(self) -> Iterator[Sequence[tuple[int, Sequence[Part]]]]:
        for items in self._chunks:
            if self._is_told_to_end or self._is_stopped:
                return
            self._order.extend(items)
            yield [(item.number, item.parts) for item in items if item.fault is None]
            for item in items:
                item.parts = ()

    # The writing thread

    def _take_all(self) -> None:
        try:
            self._take_answers()
        finally:
            if not self._is_stopped and not self._is_told_to_end:
                self._take_faults()
            self._write()

    def _take_answers(self) -> None:
        with closing(self._engine.answers(self._inputs())) as answers:
            for runs in answers:
                for run in runs:
                    self._take(run)
                    if self._is_stopped:
                        break
                self._write()
                if self._is_stopped or self._is_told_to_end:
                    return

    def _take(self, run: StreamedRun) -> None:
        self._take_faults()
        if self._is_stopped:
            return
        item = self._order.popleft()
        if item.number != run.number:
            raise InternalError(f"input {item.number} was to be answered, and {run.number} was")
        error = run.error
        if error is None:
            self._note(item, self._sink.answered(item, run.result()), has_failed=False)
        elif isinstance(error, RunError) and not isinstance(error, UnloadableError):
            is_no_json = isinstance(error, BadInputError) and item.text is not None
            why: WfctlError | str = item.not_json(error.message) if is_no_json else error
            self._note(item, self._sink.failed(item, why), has_failed=True)
        else:
            raise error

    def _take_faults(self) -> None:
        """Write of inputs that could not be sent why not, in their turn."""
        while self._order and self._order[0].fault is not None and not self._is_stopped:
            item = self._order.popleft()
            self._note(item, self._sink.failed(item, item.fault or ""), has_failed=True)

    def _note(self, item: Item, record: Record, *, has_failed: bool) -> None:
        self._records.append(record)
        self._done += 1
        self._failed += has_failed
        self._position = item.position
        self._is_stopped = has_failed and self._failed == self._terms.max_errors

    def _write(self) -> None:
        records, self._records = self._records, []
        if records:
            self._sink.write(records)
