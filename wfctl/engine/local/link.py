"""Our end of one worker: its socket, its output, and where it stands between start and end.

Invariant: tells the listener of the end exactly once, after every answer and every printed line that came before
it, and only of a worker that was ready.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from itertools import groupby

from wfctl.engine.backend import WorkerId, WorkerListener
from wfctl.engine.call import Call, CallAnswer, CallError
from wfctl.engine.local.outbox import Outbox
from wfctl.engine.local.printed import PrintedPipe
from wfctl.engine.wire.answers import decode_answers, decode_report
from wfctl.engine.wire.calls import encode_calls, encode_withdrawal
from wfctl.engine.wire.frames import Buffer, Frame, FrameDecoder, FrameError, FrameKind, encode_frame
from wfctl.engine.wire.measures import decode_measured, encode_question
from wfctl.engine.worker.marker import Marker, make_marker_file
from wfctl.errors import LoadError, WorkerError

_BUFFER = 2**20
_UNAVAILABLE = 503
_PATIENCE_S = 0.5
_ASKED_AGAIN_S = 1.0
"""After what time a worker may be asked again for what its handler measured."""


class WorkerEnds:
    """What a worker is given when it is forked: ``files`` are its socket, its two outputs and its marker."""

    __slots__ = ("files", "marker", "stderr", "stdout", "stream")

    def __init__(self) -> None:
        with ExitStack() as opened:
            self.stream, theirs = map(opened.enter_context, socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))
            for each in (self.stream, theirs):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self.stdout, their_stdout = os.pipe()
            opened.callback(_close, self.stdout, their_stdout)
            self.stderr, their_stderr = os.pipe()
            opened.callback(_close, self.stderr, their_stderr)
            marker = make_marker_file()
            opened.callback(_close, marker)
            self.marker = Marker(os.dup(marker))
            self.files = (theirs.detach(), their_stdout, their_stderr, marker)
            opened.pop_all()


def _close(*files: int) -> None:
    for each in files:
        os.close(each)


def _batches_of(calls: Sequence[Call]) -> list[list[Call]]:
    return [list(batch) for _, batch in groupby(calls, key=lambda call: call.batch_id)]


class WorkerLink:
    """One worker, as the engine's process sees it."""

    def __init__(
        self,
        worker: WorkerId,
        node: str,
        ends: WorkerEnds,
        *,
        loop: asyncio.AbstractEventLoop,
        listener: WorkerListener,
        kill: Callable[[WorkerId], None],
    ) -> None:
        self.worker = worker
        self.node = node
        self.pid: int | None = None
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done when the process is gone and everything of it is closed."""
        self._started: asyncio.Future[int] = loop.create_future()
        self._is_ready = False
        self._is_told = True
        self._loop = loop
        self._listener = listener
        self._kill = kill
        self._stream = ends.stream
        self._stream.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._decoder = FrameDecoder()
        self._outbox = Outbox(loop, self._stream)
        self._marker = ends.marker
        self._failure: LoadError | None = None
        self._reason: str | None = None
        self._is_reading = True
        self._is_unreadable = False
        self._is_asked = False
        """Whether the worker has still to tell what its handler measured."""
        self._asked_again_at = 0.0
        self._last_resort: asyncio.TimerHandle | None = None
        self._prints = [
            PrintedPipe(loop, ends.stdout, lambda line: listener.worker_printed(node, "stdout", line)),
            PrintedPipe(loop, ends.stderr, lambda line: listener.worker_printed(node, "stderr", line)),
        ]
        loop.add_reader(self._stream, self._read)

    async def wait_ready(self) -> int:
        """Wait until the worker takes batches and return its process; from then on its loss is told.

        Raises ``LoadError`` or ``WorkerError`` if it does not, or is gone again by the time this returns.
        """
        pid = await self._started
        if self.gone.done():
            raise WorkerError(self._not_started())
        self._is_ready = True
        return pid

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Write a frame to the worker; to one that is gone nothing is written."""
        self._outbox.write(buffers)

    @property
    def running_batch(self) -> int:
        """The batch that the worker runs; 0 for none."""
        return self._marker.running

    def send_calls(self, calls: Sequence[Call]) -> None:
        """Write calls; those that no frame can hold fail by themselves, in the next turn of the loop."""
        try:
            self._outbox.write(encode_calls(calls))
        except FrameError:
            for batch in _batches_of(calls):
                self._send_or_refuse(batch)

    def _send_or_refuse(self, calls: Sequence[Call]) -> None:
        try:
            self.write(encode_calls(calls))
        except FrameError as reason:
            self.write(encode_frame(FrameKind.SKIP, 1, b""))  # worker and engine number their batches alike
            self._refuse(calls, reason)

    def _refuse(self, calls: Sequence[Call], reason: FrameError) -> None:
        error = CallError(str(reason), status=_UNAVAILABLE, is_final=True, is_of_batch=True)
        answers = [CallAnswer(call.call_id, _UNAVAILABLE, error=error) for call in calls]
        self._loop.call_soon(self._listener.worker_answered, self.worker, answers)

    def withdraw_calls(self, call_ids: Sequence[int]) -> None:
        """Ask the worker not to begin these calls."""
        self.write(encode_withdrawal(call_ids))

    def ask_metrics(self) -> bool:
        """Ask the worker what its handler measured, unless it has still to tell or told a moment ago."""
        now = self._loop.time()
        if not self._is_ready or not self._is_reading or self._is_asked or now < self._asked_again_at:
            return False
        self._is_asked, self._asked_again_at = True, now + _ASKED_AGAIN_S
        self.write(encode_question())
        return True

    def retire(self) -> None:
        """Let the worker end by itself, soon; nothing more is told of it."""
        self._is_told = False
        self.end_input()
        self._end_soon("it was not needed any more")

    def end_input(self) -> None:
        """Let the worker end by itself once it has answered what it has."""
        if self._is_reading:
            if self._is_ready:  # what it counted since it was asked last would be lost with it
                self.write(encode_question(is_last=True))
            with suppress(OSError):
                self._stream.shutdown(socket.SHUT_WR)

    def end(self, reason: str) -> None:
        """End the worker at once; ``reason`` is what its end will be put down to."""
        self._reason = self._reason or reason
        self._kill(self.worker)

    def finish(self, ending: str, *, is_told: bool) -> None:
        """Take note that the process is gone: take in what it left, close, and tell."""
        if self.gone.done():
            return
        while self._is_reading and self._read():
            pass
        self._stop_reading()
        if self._last_resort is not None:
            self._last_resort.cancel()
        # Who wrote rubbish may be done with its batch by now; its answer is among what cannot be read.
        running = self._marker.running or (None if self._is_unreadable else 0)
        self._marker.close()
        self._outbox.close()
        self._stream.close()
        for each in self._prints:
            each.close()
        self.gone.set_result(None)
        self._reason = self._reason or ending
        if not self._started.done():
            self._started.set_exception(self._failure or WorkerError(self._not_started()))
            self._started.exception()  # whoever waits may have been cancelled in this very turn
        elif is_told and self._is_told and self._is_ready:
            self._listener.worker_lost(self.worker, self._reason, running)

    def _not_started(self) -> str:
        return f'a worker of node "{self.node}" did not start: {self._reason}'

    def _read(self) -> bool:
        try:
            size = self._stream.recv_into(self._decoder.get_buffer())
        except BlockingIOError:
            return False
        except OSError:
            size = 0
        # Whatever a broken worker writes must not break the loop: it is ended, and that is told.
        try:
            if not size:
                self._stop_reading()
                # It is ending, and how is told soon; unless user code closed our socket and lives on.
                self._end_soon("it closed its connection")
                return False
            self._take(self._decoder.advance(size))
        except FrameError as reason:
            self._stop_reading()
            self._is_unreadable = True
            self.end(f"its answers cannot be read: {reason}")
            return False
        return True

    def _stop_reading(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._stream)

    def _take(self, frames: list[Frame]) -> None:
        answers: list[CallAnswer] = []
        for frame in frames:
            if frame.kind is FrameKind.ANSWERS:
                found = decode_answers(frame)
                answers = answers + found if answers else found
            elif frame.kind is FrameKind.MEASURED:
                self._take_measured(frame)
            else:
                self._take_report(frame)
        if answers:
            self._listener.worker_answered(self.worker, answers)

    def _take_measured(self, frame: Frame) -> None:
        measured, self._is_asked = decode_measured(frame), False
        if self.pid is not None:
            self._listener.worker_measured(self.worker, self.node, self.pid, measured)

    def _take_report(self, frame: Frame) -> None:
        report = decode_report(frame)
        if frame.kind is FrameKind.READY and not self._started.done():
            pid = report.get("pid")
            if not isinstance(pid, int):
                raise FrameError("found a report without a process")
            self.pid = pid
            self._started.set_result(self.pid)
        elif frame.kind is FrameKind.FAILED:
            # Told when the process is gone, so that nothing of it is left when the caller hears of it.
            self._failure = LoadError(
                str(report.get("message")),
                node=self.node,
                traceback_text=report.get("traceback_text"),
                hint=report.get("hint"),
            )
            self._end_soon("it did not load")

    def _end_soon(self, reason: str) -> None:
        """Leave the worker a moment to end by itself."""
        if self._last_resort is None:
            self._last_resort = self._loop.call_later(_PATIENCE_S, self.end, reason)
