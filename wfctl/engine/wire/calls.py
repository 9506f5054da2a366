"""Frames of calls: batches on their way to a worker, and calls that are taken back.

Numbers travel in fixed records, headers as the JSON they are kept in, payloads as they are behind them; the parent
never looks into a payload. Names come from clients: half a surrogate pair must not end a worker.
Invariant: whatever a frame holds, reading it gives the calls or a ``FrameError``.
"""

import struct
from collections.abc import Sequence

from wfctl.engine.call import NO_HEADERS, Call, Headers, Input, Part, RequestIds
from wfctl.engine.wire.frames import Buffer, Frame, FrameError, FrameKind, encode_frame

_CALL = struct.Struct("<QBIQ")
"""call id, flags, size of the headers, size of the body or number of parts"""
_PART = struct.Struct("<IiQ?")
"""size of the name, size of the content type or -1, size of the body, whether it must be JSON"""
_ID = struct.Struct("<Q")
_BEGINS_BATCH, _IS_BODY = 2, 4
_NO_FORM = _BEGINS_BATCH | _IS_BODY
"""The other bits of the flags are the form of the call."""
_NO_TYPE = -1
_ALIGNED = 16
"""Calls are filled up to a multiple of this, so that numbers in a body that is handed on as it is lie where they may.
No record fits into what is filled up.
"""
_FILLING = tuple(bytes(-size % _ALIGNED) for size in range(_ALIGNED))


def encode_calls(calls: Sequence[Call]) -> list[Buffer]:
    """Return the frame of some calls as buffers to write; neighbours with one ``batch_id`` are one batch."""
    meta: list[Buffer] = []
    bodies: list[Buffer] = []
    last_batch = -1
    for call in calls:
        given, headers, batch_id = call.input, call.headers.text, call.batch_id
        flags = call.form
        if batch_id != last_batch:
            last_batch = batch_id
            flags |= _BEGINS_BATCH
        if isinstance(given, (bytes, bytearray)):
            meta.append(_CALL.pack(call.call_id, flags | _IS_BODY, len(headers), len(given)))
            meta.append(headers)
            bodies.append(given)
            continue
        meta.append(_CALL.pack(call.call_id, flags, len(headers), len(given)))
        meta.append(headers)
        for part in given:
            meta.append(_part_record(part))
            bodies.append(part.body)
    told = b"".join(meta)
    return encode_frame(FrameKind.CALLS, len(calls), told + _FILLING[len(told) % _ALIGNED], bodies)


def _part_record(part: Part) -> bytes:
    name = part.name.encode("utf-8", "surrogatepass")
    if part.content_type is None:
        return _PART.pack(len(name), _NO_TYPE, len(part.body), part.must_be_json) + name
    kind = part.content_type.encode("utf-8", "surrogatepass")
    return _PART.pack(len(name), len(kind), len(part.body), part.must_be_json) + name + kind


def decode_calls(frame: Frame, ids: RequestIds) -> list[list[Call]]:
    """Return the batches in a frame; bodies own their memory, and the frame is used up."""
    try:
        return _batches_in(frame, ids)
    except (struct.error, UnicodeDecodeError, ValueError) as reason:
        raise FrameError(f"found calls that cannot be read: {reason}") from reason


def _batches_in(frame: Frame, ids: RequestIds) -> list[list[Call]]:
    # What would lie past the end reads as nothing, and that the sizes were wrong is seen at the end.
    content, meta_size, size = frame.content, frame.meta_size, len(frame.content)
    at, body_at = 0, meta_size
    batches: list[list[Call]] = []
    for _ in range(frame.count):
        call_id, flags, headers_size, number = _CALL.unpack_from(content, at)
        at += _CALL.size
        headers = NO_HEADERS
        if headers_size:
            headers = Headers(None, content[at : at + headers_size])
            at += headers_size
        given: Input
        if flags & _IS_BODY:
            begin, body_at = body_at, body_at + number
            is_all = begin == meta_size and body_at == size and meta_size - at < _ALIGNED
            given = _body(content, begin) if is_all else content[begin:body_at]
        else:
            given, at, body_at = _parts_at(content, number, at, body_at, meta_size)
        call = Call(call_id, given, ids, 0, headers, flags & ~_NO_FORM)
        if flags & _BEGINS_BATCH or not batches:
            batches.append([call])
        else:
            batches[-1].append(call)
    if not 0 <= meta_size - at < _ALIGNED or body_at != size:
        raise FrameError("its sizes do not add up")
    return batches


def _parts_at(
    content: bytearray, count: int, at: int, body_at: int, meta_size: int
) -> tuple[tuple[Part, ...], int, int]:
    size = len(content)
    parts: list[Part] = []
    for _ in range(count):
        name_size, type_size, body_size, must_be_json = _PART.unpack_from(content, at)
        begin, at = at + _PART.size, at + _PART.size + name_size
        name = content[begin:at].decode("utf-8", "surrogatepass")
        kind = None
        if type_size >= 0:
            kind = content[at : at + type_size].decode("utf-8", "surrogatepass")
            at += type_size
        begin, body_at = body_at, body_at + body_size
        is_all = begin == meta_size and body_at == size and meta_size - at < _ALIGNED
        body = _body(content, begin) if is_all else content[begin:body_at]
        parts.append(Part(name, body, kind, must_be_json=must_be_json))
    return tuple(parts), at, body_at


def _body(content: bytearray, begin: int) -> bytearray:
    """Return the only body of a frame: what the frame owns is handed on, without a copy."""
    del content[:begin]
    return content


def encode_withdrawal(call_ids: Sequence[int]) -> list[Buffer]:
    """Return the frame that takes calls back."""
    return encode_frame(FrameKind.WITHDRAW, len(call_ids), b"".join(map(_ID.pack, call_ids)))


def decode_withdrawal(frame: Frame) -> frozenset[int]:
    """Return the calls that are taken back."""
    if frame.count * _ID.size != len(frame.content):
        raise FrameError("found a withdrawal whose sizes do not add up")
    return frozenset(call_id for (call_id,) in _ID.iter_unpack(frame.content))
