import pytest
from hosted_nodes import call

from wfctl.engine.call import Part

STREAMS = """
from ts.handler_utils.utils import send_intermediate_predict_response
def handle(data, context):
    if data is None: return
    for row, at in zip(data, context.request_ids):
        if row["body"] != b"x":
            continue
        send_intermediate_predict_response({at: {"n": 1}}, {at: context.request_ids[at]}, "part", 200, context)
    return [LAST for row in data]
"""


def test_pieces_stand_before_what_is_returned_for_their_request_alone(host):
    loaded = host(STREAMS.replace("LAST", "2"))
    first, second = loaded.answer([call(), call(Part("body", b"y"), call_id=2)])
    assert (first.body, second.body) == (b'{\n  "n": 1\n}2', b"2")
    assert loaded.answer([call(Part("body", b"y"))])[0].body == b"2"


def test_one_of_several_leaves_answers_with_its_pieces_as_one_json_text(host):
    (answer,) = host(STREAMS.replace("LAST", "'end'")).answer([call(as_json=True)])
    assert answer.body == b'"{\\n  \\"n\\": 1\\n}end"'


@pytest.mark.parametrize("last", ["{1, 2}", "2"])
def test_a_piece_without_a_form_in_bytes_fails_as_an_answer_would(host, last):
    text = STREAMS.replace("LAST", last)
    if last == "2":
        text = text.replace('{"n": 1}', "{1, 2}")
    (answer,) = host(text).answer([call()])
    assert (answer.error.message, answer.error.status) == ("Unsupported model output data type.", 503)
    assert "type set" in answer.error.traceback_text


def test_the_time_of_each_good_call_is_recorded(host):
    loaded = host("""
def handle(data, context):
    if data is None: return
    seen = [each.name for each in context.metrics.reported()]
    return [seen] if data[0]["body"] == b"x" else None
""")
    bad = loaded.answer([call(Part("body", b"bad"))])[0]
    assert bad.error.message == "Invalid model predict output"
    assert loaded.answer([call()])[0].body == b"[]"
    assert loaded.answer([call()])[0].body == b'[\n  "PredictionTime"\n]'
