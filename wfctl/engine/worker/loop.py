"""The life of a worker: load the node's code, say how it went, answer batches until the stream ends.

Invariant: no event loop, no command line, no web; whatever user code raises becomes an answer or a report.
"""

import os
import pickle
import traceback
from collections.abc import Sequence
from typing import Protocol

from wfctl.engine.call import Call, CallAnswer, CallError
from wfctl.engine.wire.frames import Buffer, FrameError, FrameKind
from wfctl.engine.wire.messages import decode_calls, encode_answers, encode_report
from wfctl.engine.worker.channel import Channel
from wfctl.engine.worker.start import WorkerStart
from wfctl.errors import LoadError
from wfctl.hosting.host import load_host
from wfctl.hosting.pickles import allow_own_pickles
from wfctl.hosting.place import enter_model_dir

_UNAVAILABLE = 503


class AnswersBatches(Protocol):
    """A loaded node."""

    def answer(self, calls: Sequence[Call]) -> list[CallAnswer]:
        """Call the handler once for the whole batch."""


def receive_start(channel: Channel) -> WorkerStart | None:
    """Wait for the first frame; ``None`` if the engine went away before it came."""
    frame = channel.receive()
    if frame is None:
        return None
    start = pickle.loads(frame.content)  # noqa: S301 - written by our own parent, and no part of it by a client
    if not isinstance(start, WorkerStart):
        raise FrameError("the first frame does not say what to start")
    return start


def work(channel: Channel, start: WorkerStart) -> None:
    """Load a node and answer its batches; returns when the engine closes the stream or the node did not load."""
    host = _loaded(channel, start)
    if host is None:
        return
    channel.send(encode_report(FrameKind.READY, {"pid": os.getpid()}))
    while (frame := channel.receive()) is not None:
        channel.send(_answered(host, decode_calls(frame)))


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


def _answered(host: AnswersBatches, calls: Sequence[Call]) -> list[Buffer]:
    # The loop outlives whatever a handler raises, `sys.exit` and interrupts included; also an answer that cannot
    # be written becomes the calls' error, for they wait for one.
    try:
        return encode_answers(host.answer(calls))
    except BaseException as reason:  # noqa: BLE001
        message = f"the handler raised {type(reason).__name__}"
        error = CallError(message, status=_UNAVAILABLE, traceback_text=traceback.format_exc())
        return encode_answers([CallAnswer(call.call_id, status=_UNAVAILABLE, error=error) for call in calls])
