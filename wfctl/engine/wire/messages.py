"""What frames say: batches of calls, their answers, and how a worker's start went.

Numbers travel in fixed records, what is rare as JSON, payloads as they are behind them; the parent never looks into
a payload. Names come from clients: half a surrogate pair must not end a worker.
Invariant: whatever a frame holds, reading it gives the message or a ``FrameError``.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from wfctl.engine.call import Call, CallAnswer, CallError, Part, Pieces
from wfctl.engine.wire.frames import Buffer, Frame, FrameError, FrameKind, encode_frame

_CALL = struct.Struct("<QBIII")
"""call id, flags, size of the request id, size of the headers, number of parts"""
_PART = struct.Struct("<IiQ")
"""size of the name, size of the content type or -1, size of the body"""
_ANSWER = struct.Struct("<QiIQQQ")
"""call id, status, size of the extras, size of the body, started, finished"""
_ALIGNED = 16
"""Calls are filled up to a multiple of this, so that numbers in a body that is handed on as it is lie where they may.
No record of a part fits into what is filled up.
"""
_AS_JSON = 1
_NO_TYPE = -1


def encode_calls(calls: Sequence[Call]) -> list[Buffer]:
    """Return the frame of one batch as buffers to write."""
    meta: list[bytes] = []
    bodies: list[Buffer] = []
    for call in calls:
        request_id = call.request_id.encode("utf-8", "surrogatepass")
        headers = json.dumps(dict(call.headers)).encode("ascii") if call.headers else b""
        flags = _AS_JSON if call.as_json else 0
        meta.append(_CALL.pack(call.call_id, flags, len(request_id), len(headers), len(call.parts)))
        meta += (request_id, headers) if headers else (request_id,)
        for part in call.parts:
            name, body = part.name.encode("utf-8", "surrogatepass"), part.body
            if part.content_type is None:
                meta += (_PART.pack(len(name), _NO_TYPE, len(body)), name)
            else:
                kind = part.content_type.encode("utf-8", "surrogatepass")
                meta += (_PART.pack(len(name), len(kind), len(body)), name, kind)
            bodies.append(body)
    told = b"".join(meta)
    return encode_frame(FrameKind.CALLS, len(calls), told + bytes(-len(told) % _ALIGNED), bodies)


def decode_calls(frame: Frame) -> list[Call]:
    """Return the calls of one batch; bodies own their memory, and the frame is used up."""
    try:
        return _calls_in(frame)
    except (struct.error, UnicodeDecodeError, ValueError, RecursionError) as reason:
        raise FrameError(f"found a batch that cannot be read: {reason}") from reason


def _calls_in(frame: Frame) -> list[Call]:
    # One flat walk, for it is on the path of every call. What would lie past the end reads as nothing, and that the
    # sizes were wrong is seen at the end.
    content, meta_size, size = frame.content, frame.meta_size, len(frame.content)
    at, body_at = 0, meta_size
    calls: list[Call] = []
    for _ in range(frame.count):
        call_id, flags, id_size, headers_size, part_count = _CALL.unpack_from(content, at)
        begin, at = at + _CALL.size, at + _CALL.size + id_size
        request_id = content[begin:at].decode("utf-8", "surrogatepass")
        headers = json.loads(content[at : at + headers_size]) if headers_size else {}
        at += headers_size
        parts: list[Part] = []
        for _ in range(part_count):
            name_size, type_size, body_size = _PART.unpack_from(content, at)
            begin, at = at + _PART.size, at + _PART.size + name_size
            name = content[begin:at].decode("utf-8", "surrogatepass")
            kind = None
            if type_size >= 0:
                kind = content[at : at + type_size].decode("utf-8", "surrogatepass")
                at += type_size
            begin, body_at = body_at, body_at + body_size
            is_all = begin == meta_size and body_at == size and meta_size - at < _ALIGNED
            parts.append(Part(name, _body(content, begin, body_at, is_all=is_all), kind))
        calls.append(Call(call_id, parts, headers, request_id, as_json=bool(flags & _AS_JSON)))
    if not 0 <= meta_size - at < _ALIGNED or body_at != size:
        raise FrameError("its sizes do not add up")
    return calls


def _body(content: bytearray, begin: int, end: int, *, is_all: bool) -> bytearray:
    if is_all:
        # The last part is the only one with a body: what the frame owns is handed on, without a copy.
        del content[:begin]
        return content
    with memoryview(content) as view:
        return bytearray(view[begin:end])


def encode_answers(answers: Sequence[CallAnswer]) -> list[Buffer]:
    """Return the frame of some answers as buffers to write."""
    records: list[bytes] = []
    extras: list[bytes] = []
    bodies: list[Buffer] = []
    for answer in answers:
        extra = _extra_of(answer)
        records.append(
            _ANSWER.pack(
                answer.call_id, answer.status, len(extra), len(answer.body), answer.started_ns, answer.finished_ns
            )
        )
        if extra:
            extras.append(extra)
        body = answer.body
        if type(body) is Pieces:
            bodies += body.buffers
        else:
            bodies.append(body)
    return encode_frame(FrameKind.ANSWERS, len(records), b"".join((*records, *extras)), bodies)


def decode_answers(frame: Frame) -> list[CallAnswer]:
    """Return the answers in a frame."""
    try:
        return _answers_in(frame)
    except (struct.error, ValueError, RecursionError, TypeError, AttributeError) as reason:
        raise FrameError(f"found answers that cannot be read: {reason}") from reason


def _answers_in(frame: Frame) -> list[CallAnswer]:
    extra_at = frame.count * _ANSWER.size
    body_at = frame.meta_size
    if extra_at > frame.meta_size:
        raise FrameError("its records are cut short")
    view = memoryview(frame.content)
    answers: list[CallAnswer] = []
    for at in range(0, extra_at, _ANSWER.size):
        call_id, status, extra_size, body_size, started_ns, finished_ns = _ANSWER.unpack_from(view, at)
        begin, body_at = body_at, body_at + body_size
        body = bytes(view[begin:body_at])
        answer = CallAnswer(call_id, status=status, body=body, started_ns=started_ns, finished_ns=finished_ns)
        if extra_size:
            _add_extra(answer, json.loads(bytes(view[extra_at : extra_at + extra_size])))
            extra_at += extra_size
        answers.append(answer)
    if extra_at != frame.meta_size or body_at != len(view):
        raise FrameError("its sizes do not add up")
    return answers


def _extra_of(answer: CallAnswer) -> bytes:
    if answer.content_type is None and not answer.headers and answer.error is None:
        return b""
    extra: dict[str, Any] = {}
    if answer.content_type is not None:
        extra["content_type"] = answer.content_type
    if answer.headers:
        extra["headers"] = dict(answer.headers)
    if answer.error is not None:
        extra["error"] = [
            answer.error.message,
            answer.error.status,
            answer.error.traceback_text,
            answer.error.is_final,
        ]
    return json.dumps(extra).encode("ascii")


def _add_extra(answer: CallAnswer, extra: Mapping[str, Any]) -> None:
    kind = extra.get("content_type")
    answer.content_type = None if kind is None else str(kind)
    answer.headers = {str(name): str(value) for name, value in extra.get("headers", {}).items()}
    if "error" in extra:
        message, status, traceback_text, is_final = extra["error"]
        answer.error = CallError(
            str(message),
            status=int(status),
            traceback_text=None if traceback_text is None else str(traceback_text),
            is_final=bool(is_final),
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
