"""What a worker does with what lies before it: each call is answered once, in order, and only by its own batch."""

import socket

from hypothesis import given
from hypothesis import strategies as st

from wfctl.engine.call import WITHDRAWN, Call, CallAnswer, Pieces, RequestIds
from wfctl.engine.wire.answers import decode_answers
from wfctl.engine.wire.calls import encode_calls, encode_withdrawal
from wfctl.engine.wire.frames import FrameDecoder
from wfctl.engine.worker.channel import Channel
from wfctl.engine.worker.loop import _Desk
from wfctl.engine.worker.marker import Marker, make_marker_file

IDS = RequestIds("0" * 32)
SLOW_NS, FAST_NS = 300_000, 1_000


class Node:
    """A loaded node whose batches take what a script says; remembers what was begun, and what the marker said then."""

    def __init__(self, marker, kinds):
        self.begun, self.marks = [], []
        self._marker, self._kinds = marker, iter(kinds)
        self._memory = bytearray(8)

    def answer(self, calls):
        self.begun.append([call.call_id for call in calls])
        self.marks.append(self._marker.word[0])
        kind = next(self._kinds, "fast")
        if kind == "raises":
            raise SystemExit(3)
        took_ns = SLOW_NS if kind == "slow" else FAST_NS
        return [self._one(call, kind, took_ns) for call in calls]

    def _one(self, call, kind, took_ns):
        body = b"%d" % call.call_id
        if kind == "borrowed":  # the next batch writes over it
            self._memory[:] = body.rjust(8)
            body = Pieces([self._memory])
        status = 2**40 if kind == "unsendable" and call.call_id % 2 else 200
        return CallAnswer(call.call_id, status, body, 1, 1 + took_ns)


def serve(frames, kinds):
    """Let a worker find all frames and then the end of the stream; returns its node and its answers."""
    ours, theirs = socket.socketpair()
    marker = Marker(make_marker_file())
    with ours, theirs:
        ours.sendall(b"".join(b"".join(frame) for frame in frames))
        ours.shutdown(socket.SHUT_WR)
        node = Node(marker, kinds)
        _Desk(Channel(theirs), node, marker, IDS).serve()
        marker.close()
        theirs.close()
        decoder, answers = FrameDecoder(), []
        while received := ours.recv(2**16):
            for frame in decoder.feed(received):
                answers += decode_answers(frame)
    return node, answers


KINDS = st.lists(st.sampled_from(["fast"] * 12 + ["slow", "raises", "unsendable"]), max_size=40)
SIZES = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=12), max_size=6)


@given(sizes=SIZES, kinds=KINDS, data=st.data())
def test_every_call_is_answered_once_whatever_is_taken_back_and_whatever_its_handler_does(sizes, kinds, data):
    frames, batches, asked_back, call_id = [], [], set(), 0
    for batch_sizes in sizes:
        calls = []
        for size in batch_sizes:
            batches.append(list(range(call_id, call_id + size)))
            calls += [Call(each, b"", IDS, len(batches)) for each in batches[-1]]
            call_id += size
        frames.append(encode_calls(calls))
        taken = data.draw(st.lists(st.integers(0, call_id), unique=True, max_size=4))
        if taken:
            frames.append(encode_withdrawal(taken))
            asked_back |= set(taken)
    node, answers = serve(frames, kinds)
    assert sorted(answer.call_id for answer in answers) == list(range(call_id))
    withdrawn = {answer.call_id for answer in answers if answer.status == WITHDRAWN}
    assert withdrawn <= asked_back
    left = [[each for each in batch if each not in withdrawn] for batch in batches]
    assert node.begun == [batch for batch in left if batch]
    assert node.marks == [number for number, batch in enumerate(left, start=1) if batch]
    assert all(answer.body == b"%d" % answer.call_id for answer in answers if answer.status == 200)


def test_what_lies_in_the_handlers_own_memory_is_sent_before_its_next_batch():
    calls = [Call(each, b"", IDS, each) for each in range(1, 30)]
    _, answers = serve([encode_calls(calls)], ["fast"] * 10 + ["borrowed", "fast"] * 9)
    assert [int(answer.body) for answer in answers] == list(range(1, 30))


def test_of_answers_held_together_only_the_one_that_cannot_be_sent_fails():
    calls = [Call(each, b"", IDS, each) for each in range(1, 16)]
    _, answers = serve([encode_calls(calls)], ["fast"] * 10 + ["unsendable"])
    assert [answer.call_id for answer in answers if answer.error] == [11]
