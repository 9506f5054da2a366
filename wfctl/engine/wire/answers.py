"""Frames of answers, and what a worker says of its start.

Numbers travel in fixed records, what is rare as JSON, payloads as they are behind them.
Invariant: whatever a frame holds, reading it gives the message or a ``FrameError``.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from wfctl.engine.call import CallAnswer, CallError, Payload, Pieces
from wfctl.engine.wire.frames import Buffer, Frame, FrameError, FrameKind, encode_frame

_ANSWER = struct.Struct("<QiIQQQ")
"""call id, status, size of the extras, size of the body, started, finished"""
_COPIED = 64 * 1024
"""Bodies of frames up to here are cut out of one copy, of larger ones each is copied by itself."""


def encode_answers(answers: Sequence[CallAnswer]) -> list[Buffer]:
    """Return the frame of some answers as buffers to write."""
    records: list[bytes] = []
    extras: list[bytes] = []
    bodies: list[Buffer] = []
    for answer in answers:
        extra: Payload = b""
        if answer.error is not None or answer.headers or answer.content_type is not None:
            extra = _extra_of(answer)
            extras.append(extra)
        body = answer.body
        records.append(
            _ANSWER.pack(answer.call_id, answer.status, len(extra), len(body), answer.started_ns, answer.finished_ns)
        )
        if type(body) is Pieces:
            bodies += body.buffers
        else:
            bodies.append(body)
    return encode_frame(FrameKind.ANSWERS, len(records), b"".join((*records, *extras)), bodies)


def decode_answers(frame: Frame) -> list[CallAnswer]:
    """Return the answers in a frame, which is used up."""
    try:
        return _answers_in(frame)
    except (struct.error, ValueError, OverflowError, RecursionError, TypeError, AttributeError) as reason:
        raise FrameError(f"found answers that cannot be read: {reason}") from reason


def _answers_in(frame: Frame) -> list[CallAnswer]:
    content, size = frame.content, len(frame.content)
    extra_at, body_at = frame.count * _ANSWER.size, frame.meta_size
    if extra_at > body_at:
        raise FrameError("its records are cut short")
    source: Payload = bytes(content) if size <= _COPIED else content
    answers: list[CallAnswer] = []
    for call_id, status, extra_size, body_size, started_ns, finished_ns in _ANSWER.iter_unpack(source[:extra_at]):
        begin, body_at = body_at, body_at + body_size
        extra: Payload = b""
        if extra_size:
            extra = source[extra_at : extra_at + extra_size]
            extra_at += extra_size
        body = source[begin:body_at] if body_size <= _COPIED else _large_body(frame, begin, body_at)
        answer = CallAnswer(call_id, status, body, started_ns, finished_ns)
        if extra:
            _add_extra(answer, json.loads(extra))
        answers.append(answer)
    if extra_at != frame.meta_size or body_at != size:
        raise FrameError("its sizes do not add up")
    return answers


def _large_body(frame: Frame, begin: int, end: int) -> Payload:
    content = frame.content
    if frame.count > 1 or end != len(content):
        return content[begin:end]
    # The only body: what the frame owns is handed on, without a copy.
    del content[:begin]
    return content


def _extra_of(answer: CallAnswer) -> bytes:
    extra: dict[str, Any] = {}
    if answer.content_type is not None:
        extra["content_type"] = answer.content_type
    if answer.headers:
        extra["headers"] = dict(answer.headers)
    if answer.error is not None:
        error = answer.error
        marks = error.is_final, error.is_of_batch, error.is_of_input
        extra["error"] = [error.message, error.status, error.traceback_text, *marks]
    return json.dumps(extra).encode("ascii")


def _add_extra(answer: CallAnswer, extra: Mapping[str, Any]) -> None:
    kind = extra.get("content_type")
    answer.content_type = None if kind is None else str(kind)
    answer.headers = {str(name): str(value) for name, value in extra.get("headers", {}).items()}
    if "error" in extra:
        message, status, traceback_text, is_final, is_of_batch, is_of_input = extra["error"]
        answer.error = CallError(
            str(message),
            status=int(status),
            traceback_text=None if traceback_text is None else str(traceback_text),
            is_final=bool(is_final),
            is_of_batch=bool(is_of_batch),
            is_of_input=bool(is_of_input),
        )


def encode_report(kind: FrameKind, report: Mapping[str, Any]) -> list[Buffer]:
    """Return the frame in which a worker says how its start went."""
    return encode_frame(kind, 0, json.dumps(report).encode("ascii"))


def decode_report(frame: Frame) -> dict[str, Any]:
    """Return what a worker says of its start."""
    try:
        report = json.loads(bytes(frame.content[: frame.meta_size]))
    except (ValueError, RecursionError) as reason:
        raise FrameError(f"found a report that cannot be read: {reason}") from reason
    if not isinstance(report, dict):
        raise FrameError("found a report that is no mapping")
    return report
