"""The life of a worker: load the node's code, say how it went, answer batches until the stream ends.

Batches may come ahead of their time: they wait here in order, and can be taken back until they are begun.
Invariant: no event loop, no command line, no web; whatever user code raises becomes an answer or a report; when the
worker waits for the engine, the engine has every answer there is.
"""

import os
import pickle
import traceback
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from wfctl.engine.call import WITHDRAWN, Call, CallAnswer, CallError, Pieces, RequestIds
from wfctl.engine.measured import MOST_SERIES
from wfctl.engine.wire.answers import encode_answers, encode_report
from wfctl.engine.wire.calls import decode_calls, decode_withdrawal
from wfctl.engine.wire.frames import Frame, FrameError, FrameKind
from wfctl.engine.wire.measures import encode_measured
from wfctl.engine.worker.channel import Channel
from wfctl.engine.worker.marker import Marker
from wfctl.engine.worker.start import WorkerStart
from wfctl.errors import LoadError
from wfctl.hosting.failures import all_failed
from wfctl.hosting.host import load_host
from wfctl.hosting.measured import read_measured
from wfctl.hosting.pickles import allow_own_pickles
from wfctl.hosting.place import enter_model_dir

_UNAVAILABLE = 503
_FAST_NS = 200_000
"""A batch that takes less may keep the answers of the one before it waiting."""
_WARY = 8
"""Fast batches in a row after which a node counts as fast."""
_LEAST_HELD, _SHARE = 8, 4
"""Answers leave when there are so many, or a quarter of what is still to be done: few enough that the next node can
begin with them meanwhile, and more at a time where there is much."""
_MOST_HELD_BYTES = 256 * 1024


class AnswersBatches(Protocol):
    """A loaded node."""

    def answer(self, calls: Sequence[Call]) -> list[CallAnswer]:
        """Call the handler once for the whole batch."""

    @property
    def metrics(self) -> Any:
        """What its context holds for the handler to report to; anything, if the handler has put it there."""


def receive_start(channel: Channel) -> WorkerStart | None:
    """Wait for the first frame; ``None`` if the engine went away before it came."""
    frame = channel.receive()
    if frame is None:
        return None
    start = pickle.loads(frame.content)  # noqa: S301 - written by our own parent, and no part of it by a client
    if not isinstance(start, WorkerStart):
        raise FrameError("the first frame does not say what to start")
    return start


def work(channel: Channel, start: WorkerStart, marker: Marker) -> None:
    """Load a node and answer its batches; returns when the engine closes the stream or the node did not load."""
    host = _loaded(channel, start)
    if host is None:
        return
    marker.keep_from_children()
    channel.send(encode_report(FrameKind.READY, {"pid": os.getpid()}))
    _Desk(channel, host, marker, RequestIds(start.request_ids)).serve()


def _loaded(channel: Channel, start: WorkerStart) -> AnswersBatches | None:
    node = start.node
    # User code may raise anything while it loads, `sys.exit` included, and each of them is to be told.
    try:
        allow_own_pickles(is_trusted=node.code.is_trusted)
        enter_model_dir(node.code.model_dir, node.code.import_paths)
        return load_host(node, gpu_id=start.gpu_id)
    except LoadError as error:
        report = {"message": error.message, "traceback_text": error.traceback_text, "hint": error.hint}
    except BaseException as reason:  # noqa: BLE001
        message = f'node "{node.name}" failed to load: {type(reason).__name__}: {reason}'
        report = {"message": message, "traceback_text": traceback.format_exc(), "hint": None}
    channel.send(encode_report(FrameKind.FAILED, report))
    return None


class _Desk:
    """What lies before a worker: batches not begun, answers not sent."""

    def __init__(self, channel: Channel, host: AnswersBatches, marker: Marker, ids: RequestIds) -> None:
        self._channel = channel
        self._host = host
        self._marker = marker
        self._ids = ids
        self._last = 0
        """Number of the batch that came last; the engine counts alike."""
        self._batches: deque[tuple[int, list[Call]]] = deque()
        self._answers: list[CallAnswer] = []
        self._held_bytes = 0
        self._wary = _WARY
        """Batches to go until the node counts as fast again."""

    def serve(self) -> None:
        """Answer until the stream ends."""
        batches, marker, answered = self._batches, self._marker, self._answered
        while True:
            while not batches:
                self._send_answers()
                # Not before: a handler that closed our socket is found out when its answer cannot be sent.
                marker.word[0] = 0
                frame = self._channel.receive()
                if frame is None:
                    return
                self._take(frame)
            if self._wary:
                self._look_up()
                if not batches:
                    continue
            number, batch = batches.popleft()
            marker.word[0] = number
            self._put(answered(batch))

    def _look_up(self) -> None:
        """Before a batch that may take long: send what is done, and see whether the batch is still wanted."""
        self._send_answers()
        while (frame := self._channel.receive_nowait()) is not None:
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if frame.kind is FrameKind.CALLS:
            for batch in decode_calls(frame, self._ids):
                self._last += 1
                self._batches.append((self._last, batch))
        elif frame.kind is FrameKind.WITHDRAW:
            self._give_back(decode_withdrawal(frame))
        elif frame.kind is FrameKind.SKIP:
            self._last += frame.count
        elif frame.kind is FrameKind.MEASURE:
            self._tell_measured(is_last=bool(frame.count))

    def _tell_measured(self, *, is_last: bool) -> None:
        # Handlers can put objects of their own where this looks, which may raise anything.
        try:
            series, left_out = read_measured(self._host.metrics, MOST_SERIES)
        except BaseException:  # noqa: BLE001
            series, left_out = [], 0
        self._channel.send(encode_measured(series, left_out, is_last=is_last))

    def _give_back(self, call_ids: frozenset[int]) -> None:
        for _ in range(len(self._batches)):
            number, batch = self._batches.popleft()
            self._answers += [CallAnswer(call.call_id, WITHDRAWN) for call in batch if call.call_id in call_ids]
            left = [call for call in batch if call.call_id not in call_ids]
            if left:
                self._batches.append((number, left))

    def _put(self, answers: list[CallAnswer]) -> None:
        """Keep the answers of one batch for the next frame, or send them at once."""
        held, last, is_borrowed = self._answers, answers[-1], False
        held += answers
        for answer in answers:
            body = answer.body
            self._held_bytes += len(body)
            if type(body) is Pieces:  # the handler's own memory, which its next call may change
                is_borrowed = True
        if last.finished_ns - last.started_ns >= _FAST_NS:
            self._wary = _WARY
        elif self._wary and last.finished_ns:  # unless no handler was called
            self._wary -= 1
        enough = max(_LEAST_HELD, len(self._batches) // _SHARE)
        if is_borrowed or len(held) >= enough or self._held_bytes >= _MOST_HELD_BYTES:
            self._send_answers()

    def _send_answers(self) -> None:
        if not self._answers:
            return
        answers, self._answers, self._held_bytes = self._answers, [], 0
        try:
            buffers = encode_answers(answers)
        except Exception as reason:  # noqa: BLE001 - too large, say: they wait for an answer, so this becomes it
            if len(answers) == 1:
                error = CallError(f"the answer cannot be sent: {reason}", status=_UNAVAILABLE, is_final=True)
                buffers = encode_answers([CallAnswer(answers[0].call_id, error.status, error=error)])
            else:
                for answer in answers:
                    self._answers = [answer]
                    self._send_answers()
                return
        self._channel.send(buffers)

    def _answered(self, calls: Sequence[Call]) -> list[CallAnswer]:
        # The loop outlives whatever a handler raises, `sys.exit` and interrupts included.
        try:
            return self._host.answer(calls)
        except BaseException as reason:  # noqa: BLE001
            return all_failed([call.call_id for call in calls], reason)
