from contextlib import suppress
from ctypes import addressof, c_char
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.engine.call import (
    AS_JSON,
    FACE_BIT,
    STANDS_ALONE,
    Call,
    CallAnswer,
    CallError,
    Face,
    Headers,
    Part,
    Pieces,
    RequestIds,
)
from wfctl.engine.wire.answers import decode_answers, decode_report, encode_answers, encode_report
from wfctl.engine.wire.calls import decode_calls, decode_withdrawal, encode_calls, encode_withdrawal
from wfctl.engine.wire.frames import Frame, FrameDecoder, FrameError, FrameKind

TEXT = st.text(st.characters(), max_size=20)
HEADERS = st.dictionaries(TEXT, TEXT, max_size=4)
NUMBERS = st.integers(0, 2**64 - 1)
PARTS = st.builds(Part, TEXT, st.binary(max_size=60) | st.binary(max_size=60).map(bytearray), st.none() | TEXT)
BYTES = st.binary(max_size=60) | st.binary(max_size=60).map(bytearray)
IDS = RequestIds("0123456789abcdef" * 2)
CALLS = st.builds(
    Call,
    NUMBERS,
    BYTES | st.lists(PARTS, max_size=4),
    ids=st.just(IDS),
    batch_id=st.integers(1, 3),
    headers=st.builds(Headers, HEADERS),
    form=st.sampled_from([0, AS_JSON, STANDS_ALONE, Face.V2 << FACE_BIT, Face.V2_OF_MANY << FACE_BIT | AS_JSON]),
)
ERRORS = st.builds(
    CallError,
    TEXT,
    status=st.integers(100, 599),
    traceback_text=st.none() | TEXT,
    is_final=st.booleans(),
    is_of_batch=st.booleans(),
    is_of_input=st.booleans(),
)
ANSWERS = st.builds(
    CallAnswer,
    NUMBERS,
    status=st.integers(-(2**31), 2**31 - 1),
    body=st.binary(max_size=60),
    content_type=st.none() | TEXT,
    headers=HEADERS,
    error=st.none() | ERRORS,
    started_ns=NUMBERS,
    finished_ns=NUMBERS,
)


def received(buffers) -> Frame:
    (frame,) = FrameDecoder().feed(b"".join(buffers))
    return frame


def state(record):
    """Every field of a slotted record, so that a field added later cannot be forgotten on the wire."""
    if isinstance(record, Headers):
        return dict(record.mapping)
    if isinstance(record, Call):
        # What the frame says of batches is their borders, and the ids are those of the worker.
        fields = {name: state(getattr(record, name)) for name in Call.__slots__ if name not in {"batch_id", "ids"}}
        return fields | {"request_id": record.request_id}
    if isinstance(record, CallAnswer):
        return {name: state(getattr(record, name)) for name in CallAnswer.__slots__} | {"headers": record.headers or {}}
    if isinstance(record, Part | CallError):
        return {name: state(getattr(record, name)) for name in type(record).__slots__}
    if isinstance(record, list | tuple):
        return [state(each) for each in record]
    return bytes(record) if isinstance(record, bytearray) else record


def batches(calls):
    return [state(list(batch)) for _, batch in groupby(calls, key=lambda call: call.batch_id)]


@settings(deadline=None)
@given(st.lists(CALLS, max_size=5))
def test_calls_arrive_as_they_were(calls):
    frame = received(encode_calls(calls))
    assert frame.kind is FrameKind.CALLS
    assert state(decode_calls(frame, IDS)) == batches(calls)


@pytest.mark.parametrize("size", range(16))
def test_a_body_alone_in_its_frame_begins_where_numbers_may_lie(size):
    sent = Call(1, [Part("n" * size, b""), Part("body", bytes(100_000))], IDS)
    ((call,),) = decode_calls(received(encode_calls([sent])), IDS)
    body = call.parts[1].body
    assert (type(body), len(body)) == (bytearray, 100_000)
    assert addressof(c_char.from_buffer(body)) % 16 == 0


@settings(deadline=None)
@given(st.lists(st.lists(st.binary(max_size=30_000), max_size=4), max_size=4))
def test_a_body_in_pieces_arrives_as_one(bodies):
    answers = [CallAnswer(at, body=Pieces([memoryview(each) for each in body])) for at, body in enumerate(bodies)]
    found = decode_answers(received(encode_answers(answers)))
    assert [each.body for each in found] == [b"".join(body) for body in bodies]


@settings(deadline=None)
@given(st.lists(ANSWERS, max_size=5))
def test_answers_arrive_as_they_were(answers):
    frame = received(encode_answers(answers))
    assert frame.kind is FrameKind.ANSWERS
    assert state(decode_answers(frame)) == state(answers)


def test_large_bodies_arrive_as_they_were():
    bodies = [bytes([at]) * (at * 200_000) for at in range(4)]
    calls = [Call(at, [Part("body", body), Part("small", b"s")], ids=IDS) for at, body in enumerate(bodies)]
    assert state(decode_calls(received(encode_calls(calls)), IDS)) == batches(calls)
    answers = [CallAnswer(at, body=body) for at, body in enumerate(bodies)]
    assert state(decode_answers(received(encode_answers(answers)))) == state(answers)


def test_a_single_large_body_is_handed_over_without_a_copy():
    for sent in (b"x" * 10**6, [Part("body", b"x" * 10**6)]):
        frame = received(encode_calls([Call(1, sent, ids=IDS)]))
        ((call,),) = decode_calls(frame, IDS)
        assert call.parts[0].body is frame.content
        assert call.parts[0].body == b"x" * 10**6


def test_a_single_large_answer_is_handed_over_without_a_copy():
    frame = received(encode_answers([CallAnswer(2, body=b"x" * 10**6)]))
    (large,) = decode_answers(frame)
    assert large.body is frame.content
    assert large.body == b"x" * 10**6


@pytest.mark.parametrize("empty_last", [False, True])
def test_an_only_body_beside_empty_ones_arrives(empty_last):
    parts = [Part("empty", b""), Part("full", b"x" * 100)]
    calls = [Call(1, parts[::-1] if empty_last else parts, ids=IDS)]
    assert state(decode_calls(received(encode_calls(calls)), IDS)) == batches(calls)


def test_calls_that_are_taken_back_arrive_as_they_were():
    frame = received(encode_withdrawal([3, 2**64 - 1]))
    assert frame.kind is FrameKind.WITHDRAW
    assert decode_withdrawal(frame) == {3, 2**64 - 1}
    with pytest.raises(FrameError, match="add up"):
        decode_withdrawal(Frame(FrameKind.WITHDRAW, 2, 8, bytearray(8)))


def calls_in(frame):
    return [call for batch in decode_calls(frame, IDS) for call in batch]


READERS = {FrameKind.CALLS: calls_in, FrameKind.ANSWERS: decode_answers}


@settings(deadline=None)
@given(st.sampled_from(sorted(READERS)), st.integers(0, 2**32 - 1), st.binary(max_size=200), st.data())
def test_garbage_in_a_frame_is_refused(kind, count, content, data):
    frame = Frame(kind, count, data.draw(st.integers(0, len(content))), bytearray(content))
    try:
        found = READERS[kind](frame)
    except FrameError:
        return
    assert len(found) == count


@settings(deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=2), st.data())
def test_a_damaged_batch_is_read_or_refused(calls, data):
    frame = received(encode_calls(calls))
    at = data.draw(st.integers(0, len(frame.content) - 1))
    frame.content[at] ^= data.draw(st.integers(1, 255))
    with suppress(FrameError):
        decode_calls(frame, IDS)


@settings(deadline=None)
@given(st.lists(ANSWERS, min_size=1, max_size=2), st.data())
def test_damaged_answers_are_read_or_refused(answers, data):
    frame = received(encode_answers(answers))
    at = data.draw(st.integers(0, len(frame.content) - 1))
    frame.content[at] ^= data.draw(st.integers(1, 255))
    with suppress(FrameError):
        decode_answers(frame)


@pytest.mark.parametrize("extra", [b"[" * 100_000, b'{"error": ["no", Infinity, null, true, true]}'])
def test_an_extra_that_is_none_is_refused(extra):
    good = CallAnswer(1, content_type="x")
    frame = received(encode_answers([good]))
    record = bytearray(frame.content[:40])
    record[12:16] = len(extra).to_bytes(4, "little")
    with pytest.raises(FrameError, match="cannot be read"):
        decode_answers(Frame(FrameKind.ANSWERS, 1, 40 + len(extra), record + extra))


def test_reports_arrive_as_they_were():
    frame = received(encode_report(FrameKind.FAILED, {"message": "Größe", "hint": None}))
    assert frame.kind is FrameKind.FAILED
    assert decode_report(frame) == {"message": "Größe", "hint": None}


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff"])
def test_reports_that_are_none_are_refused(text):
    with pytest.raises(FrameError, match="report"):
        decode_report(Frame(FrameKind.READY, 0, len(text), bytearray(text)))
