import struct
from types import SimpleNamespace

import pytest

from wfctl.handlers.context import Context
from wfctl.handlers.prediction_exception import PredictionException
from wfctl.handlers.streaming import IntermediateResponses, send_intermediate_predict_response

IDS = {0: "a", 1: "b"}


@pytest.fixture
def pieces():
    made = IntermediateResponses(lambda value: str(value).encode(), SimpleNamespace(request_ids=IDS))
    made.begin()
    return made


@pytest.fixture
def context(pieces):
    made = Context("m", "/", None, 2)
    made.cl_socket = pieces
    return made


def test_pieces_are_kept_for_each_request_in_order(pieces, context):
    send_intermediate_predict_response(["1", 2], IDS, "part", 200, context)
    send_intermediate_predict_response({1: "3"}, {1: "b"}, "part", 200, context)
    assert (pieces.before(0), pieces.before(1)) == (b"1", b"23")
    assert 0 in pieces
    pieces.begin()
    assert pieces.before(1) == b""
    assert 1 not in pieces


def test_the_id_of_a_request_decides_and_not_the_place_of_its_piece(pieces, context):
    send_intermediate_predict_response(["for b"], {0: "b"}, "part", 200, context)
    assert (pieces.before(0), pieces.before(1)) == (b"", b"for b")


def test_a_piece_that_says_an_error_ends_the_call(context):
    with pytest.raises(PredictionException) as caught:
        send_intermediate_predict_response(["x", "y"], IDS, "no more", 507, context)
    assert (caught.value.message, caught.value.error_code) == ("no more", 507)


@pytest.mark.parametrize("context", [None, Context("m", "/", None, 1)])
def test_pieces_outside_a_call_are_refused(context):
    with pytest.raises(RuntimeError, match="while a request is being answered"):
        send_intermediate_predict_response(["x"], IDS, "part", 200, context)


def test_of_several_processes_the_first_speaks(pieces, context, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    send_intermediate_predict_response(["x", "y"], IDS, "part", 200, context)
    assert 0 not in pieces


def message(code, words, *requests):
    def text(value):
        return struct.pack("!i", len(value)) + value

    one = [
        text(name) + text(b"text/plain") + struct.pack("!i", 200) + text(b"fine") + struct.pack("!i", 1)
        + text(b"key") + text(b"value") + text(body)
        for name, body in requests
    ]  # fmt: skip
    return struct.pack("!i", code) + text(words) + b"".join(one) + struct.pack("!i", -1)


def test_messages_of_the_originals_protocol_are_understood(pieces):
    pieces.sendall(message(200, b"ok", (b"b", b"\xff\x00"), (b"a", b"one"), (b"stranger", b"lost")))
    pieces.sendall(message(200, b"ok", (b"a", b" two")))
    assert (pieces.before(0), pieces.before(1)) == (b"one two", b"\xff\x00")
    with pytest.raises(PredictionException, match="Unsupported"):
        pieces.sendall(message(503, b"Unsupported model output data type.", (b"a", b"error")))
