import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.engine.wire.frames import Frame, FrameDecoder, FrameError, FrameKind, drop_sent, encode_frame

HEAD_SIZE = 20


def encoded(kind=FrameKind.CALLS, count=1, meta=b"meta", bodies=()) -> bytes:
    return b"".join(encode_frame(kind, count, meta, bodies))


def parts_of(frame: Frame):
    return frame.kind, frame.count, bytes(frame.content[: frame.meta_size]), bytes(frame.content[frame.meta_size :])


FRAMES = st.tuples(
    st.sampled_from(FrameKind), st.integers(0, 2**32 - 1), st.binary(max_size=80), st.lists(st.binary(max_size=80))
)


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=6), st.data())
def test_frames_survive_any_cutting(frames, data):
    stream = b"".join(encoded(*frame) for frame in frames)
    decoder, found = FrameDecoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert [parts_of(frame) for frame in found] == [
        (kind, count, meta, b"".join(bodies)) for kind, count, meta, bodies in frames
    ]
    assert decoder.is_between_frames


@pytest.mark.parametrize("size", [1, 60_000, 262_144 - HEAD_SIZE - 4, 262_144 - HEAD_SIZE - 3, 262_144, 3_000_000])
@pytest.mark.parametrize("step", [1000, 65_536, 10**9])
def test_frames_of_all_sizes_follow_each_other(size, step):
    body = bytes(range(256)) * (size // 256 + 1)
    stream = encoded(bodies=[body[:size], b"", b"end"]) + encoded(meta=b"next") + encoded(bodies=[body[:size]])
    decoder, found = FrameDecoder(), []
    for at in range(0, len(stream), step):
        found += decoder.feed(stream[at : at + step])
    assert [parts_of(frame)[2:] for frame in found] == [
        (b"meta", body[:size] + b"end"),
        (b"next", b""),
        (b"meta", body[:size]),
    ]


def test_a_frame_fed_byte_by_byte_costs_time_in_proportion():
    def seconds(size: int) -> float:
        stream, decoder = encoded(bodies=[bytes(size)]), FrameDecoder()
        begun = time.process_time()
        for at in range(len(stream)):
            decoder.feed(stream[at : at + 1])
        assert decoder.is_between_frames
        return time.process_time() - begun

    assert seconds(400_000) < 30 * seconds(40_000)


def test_a_large_frame_takes_memory_as_it_arrives_and_not_as_it_was_announced():
    tracemalloc.start()
    try:
        decoder = FrameDecoder()
        decoder.feed(
            encoded(bodies=[bytes(10)])[:-14].replace((10).to_bytes(8, "little"), (10**9).to_bytes(8, "little"))
        )
        decoder.feed(bytes(300_000))
        assert len(decoder.get_buffer()) > 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 2**20


def test_large_bodies_are_not_copied_when_encoded():
    body = bytearray(10**6)
    head, same = encode_frame(FrameKind.CALLS, 1, b"meta", [body])
    assert same is body
    assert len(head) == HEAD_SIZE + 4


def test_an_unfinished_frame_is_known_as_such():
    decoder = FrameDecoder()
    assert decoder.is_between_frames
    decoder.feed(encoded()[:-1])
    assert not decoder.is_between_frames
    decoder.feed(encoded()[-1:])
    assert decoder.is_between_frames


@settings(deadline=None)
@given(st.binary(min_size=HEAD_SIZE, max_size=200).filter(lambda garbage: not garbage.startswith(b"wf")))
def test_garbage_is_refused_at_once(garbage):
    with pytest.raises(FrameError, match="begin no frame"):
        FrameDecoder().feed(garbage)


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_whatever_follows_the_magic_is_a_frame_or_refused(garbage):
    decoder = FrameDecoder(max_meta=1000, max_body=1000)
    try:
        decoder.feed(b"wf" + garbage)
    except FrameError:
        return
    assert len(decoder.get_buffer()) > 0


@pytest.mark.parametrize(("meta", "body"), [(b"x" * 11, b""), (b"", b"x" * 21)])
def test_frames_beyond_the_limits_are_refused_before_they_arrive(meta, body):
    stream = encoded(meta=meta, bodies=[body])
    with pytest.raises(FrameError, match="more than allowed"):
        FrameDecoder(max_meta=10, max_body=20).feed(stream[:HEAD_SIZE])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=8), st.data())
def test_what_was_sent_is_dropped_from_the_front(buffers, data):
    from collections import deque

    whole = b"".join(buffers)
    sent = data.draw(st.integers(0, len(whole)))
    pending = deque(buffers)
    drop_sent(pending, sent)
    assert b"".join(pending) == whole[sent:]
