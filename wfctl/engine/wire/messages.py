"""What frames say: batches of calls, their answers, and how a worker's start went.

Numbers travel in fixed records, what is rare as JSON, payloads as they are behind them; the parent never looks into
a payload.
Invariant: whatever a frame holds, reading it gives the message or a ``FrameError``.
"""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wfctl.engine.call import Call, CallAnswer, CallError, Part
from wfctl.engine.wire.frames import Buffer, Frame, FrameError, FrameKind, encode_frame

_CALL = struct.Struct("<QBIII")
"""call id, flags, size of the request id, size of the headers, number of parts"""
_PART = struct.Struct("<IiQ")
"""size of the name, size of the content type or -1, size of the body"""
_ANSWER = struct.Struct("<QiIQQQ")
"""call id, status, size of the extras, size of the body, started, finished"""
_AS_JSON = 1
_NO_TYPE = -1
_SUCCESS = 200
# Names come from clients: half a surrogate pair must not end a worker.
_UTF8 = ("utf-8", "surrogatepass")


def encode_calls(calls: Sequence[Call]) -> list[Buffer]:
    """Return the frame of one batch as buffers to write."""
    meta: list[bytes] = []
    bodies: list[Buffer] = []
    for call in calls:
        request_id = call.request_id.encode(*_UTF8)
        headers = json.dumps(dict(call.headers)).encode("ascii") if call.headers else b""
        flags = _AS_JSON if call.as_json else 0
        meta += (_CALL.pack(call.call_id, flags, len(request_id), len(headers), len(call.parts)), request_id, headers)
        for part in call.parts:
            name = part.name.encode(*_UTF8)
            kind = None if part.content_type is None else part.content_type.encode(*_UTF8)
            meta += (_PART.pack(len(name), _NO_TYPE if kind is None else len(kind), len(part.body)), name, kind or b"")
            bodies.append(part.body)
    return encode_frame(FrameKind.CALLS, len(calls), b"".join(meta), bodies)


def decode_calls(frame: Frame) -> list[Call]:
    """Return the calls of one batch; bodies own their memory, and the frame is used up."""
    reader = _CallReader(frame)
    try:
        calls = [reader.call() for _ in range(frame.count)]
        reader.finish()
    except (struct.error, UnicodeDecodeError, ValueError, RecursionError) as reason:
        raise FrameError(f"found a batch that cannot be read: {reason}") from reason
    return calls


class _CallReader:
    """Walks through the meta of a batch, and through the bodies behind it."""

    def __init__(self, frame: Frame) -> None:
        self._content = frame.content
        self._meta_size = frame.meta_size
        self._size = len(frame.content)
        self._at = 0
        self._body_at = frame.meta_size

    def call(self) -> Call:
        call_id, flags, id_size, headers_size, part_count = self._numbers(_CALL)
        request_id = self._text(id_size)
        headers = json.loads(self._bytes(headers_size)) if headers_size else {}
        parts = [self._part() for _ in range(part_count)]
        return Call(call_id, parts, headers, request_id, as_json=bool(flags & _AS_JSON))

    def finish(self) -> None:
        if self._at != self._meta_size or self._body_at != self._size:
            raise FrameError("its sizes do not add up")

    def _part(self) -> Part:
        name_size, type_size, body_size = self._numbers(_PART)
        name = self._text(name_size)
        kind = None if type_size == _NO_TYPE else self._text(type_size)
        return Part(name, self._body(body_size), kind)

    def _body(self, size: int) -> bytes | bytearray:
        begin, end = self._body_at, self._body_at + size
        if end > self._size:
            raise FrameError("a body is cut short")
        self._body_at = end
        if begin == self._meta_size == self._at and end == self._size:
            # The last part is the only one with a body: what the frame owns is handed on, without a copy.
            del self._content[:begin]
            return self._content
        with memoryview(self._content) as view:
            return bytes(view[begin:end])

    def _numbers(self, record: struct.Struct) -> tuple[Any, ...]:
        numbers = record.unpack_from(self._content, self._at)
        self._at += record.size
        return numbers

    def _text(self, size: int) -> str:
        return self._bytes(size).decode(*_UTF8)

    def _bytes(self, size: int) -> bytearray:
        begin, self._at = self._at, self._at + size
        if self._at > self._meta_size or size < 0:
            raise FrameError("its description is cut short")
        return self._content[begin : self._at]


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
        bodies.append(answer.body)
    return encode_frame(FrameKind.ANSWERS, len(records), b"".join((*records, *extras)), bodies)


def decode_answers(frame: Frame) -> list[CallAnswer]:
    """Return the answers in a frame."""
    try:
        return list(_answers_in(frame))
    except (struct.error, ValueError, RecursionError, TypeError, AttributeError) as reason:
        raise FrameError(f"found answers that cannot be read: {reason}") from reason


def _answers_in(frame: Frame) -> Iterator[CallAnswer]:
    extra_at = frame.count * _ANSWER.size
    body_at = frame.meta_size
    if extra_at > frame.meta_size:
        raise FrameError("its records are cut short")
    view = memoryview(frame.content)
    for record in _ANSWER.iter_unpack(view[:extra_at]):
        call_id, status, extra_size, body_size, started_ns, finished_ns = record
        body = bytes(view[body_at : body_at + body_size])
        answer = CallAnswer(call_id, status=status, body=body, started_ns=started_ns, finished_ns=finished_ns)
        if extra_size:
            _add_extra(answer, json.loads(bytes(view[extra_at : extra_at + extra_size])))
            extra_at += extra_size
        body_at += body_size
        yield answer
    if extra_at != frame.meta_size or body_at != len(view):
        raise FrameError("its sizes do not add up")


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
