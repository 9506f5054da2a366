import json

import pytest

from wfctl.handlers.context import Context
from wfctl.handlers.envelopes.body import BodyEnvelope
from wfctl.handlers.envelopes.json import JSONEnvelope
from wfctl.handlers.envelopes.kserve import KServeEnvelope
from wfctl.handlers.envelopes.kservev2 import KServev2Envelope
from wfctl.handlers.prediction_exception import PredictionException


@pytest.fixture
def context():
    manifest = {"model": {"modelName": "m", "modelVersion": "2.0"}}
    made = Context(model_name="flow__m", model_dir="/", manifest=manifest, batch_size=1)
    made.begin_batch(["id-1"], [{}])
    return made


def echo(data, _context):
    return data


@pytest.mark.parametrize("kind", [BodyEnvelope, JSONEnvelope, KServeEnvelope, KServev2Envelope])
@pytest.mark.parametrize("empty", [None, []])
def test_nothing_goes_through_untouched(kind, empty, context):
    assert kind(echo).handle(empty, context) is empty


def test_json_divides_results_among_the_requests_of_a_batch(context):
    rows = [{"body": {"instances": [1, 2]}}, {"data": {"instances": [3]}}, {"instances": [4]}]
    answers = JSONEnvelope(echo).handle(rows, context)
    assert [json.loads(each)["predictions"] for each in answers] == [[1, 2], [3], [4]]


def test_two_json_envelopes_do_not_share_what_they_remember(context):
    one, other = JSONEnvelope(echo), JSONEnvelope(echo)
    one.parse_input([{"body": {"instances": [1]}}])
    assert other.handle([{"body": {"instances": [1, 2]}}], context) == ['{"predictions": [1, 2]}']
    assert one.format_output([5]) == ['{"predictions": [5]}']


@pytest.mark.parametrize("body", [b"{", b"[1]", {"inputs": 1}, {"instances": 3}, 7], ids=repr)
def test_json_refuses_what_has_no_instances(body, context):
    with pytest.raises(PredictionException) as caught:
        JSONEnvelope(echo).handle([{"body": body}], context)
    assert caught.value.error_code == 400


@pytest.mark.parametrize("body", ["x", b"\xff", 3, [1]], ids=repr)
@pytest.mark.parametrize("kind", [KServeEnvelope, KServev2Envelope])
def test_kserve_refuses_what_is_no_object(kind, body, context):
    with pytest.raises(PredictionException) as caught:
        kind(echo).handle([{"body": body}], context)
    assert caught.value.error_code == 400


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, 'no list "inputs"'),
        ({"inputs": [{}]}, 'no "name"'),
        (
            {"inputs": [{"name": "n", "datatype": "FP32", "data": [1, 2], "shape": [3]}]},
            'input "n" does not have the shape',
        ),
        ({"inputs": [{"name": "n", "datatype": "FP32", "data": [1, 2]}]}, 'input "n" does not have the shape'),
    ],
)
def test_the_second_protocol_says_what_is_wrong_with_an_input(given, words, context):
    with pytest.raises(PredictionException, match=words):
        KServev2Envelope(echo).handle([{"body": given}], context)


def second(results, context, **more):
    inputs = [{"name": "n", "datatype": "INT64", "data": [1], "shape": [1]}]
    (answer,) = KServev2Envelope(lambda *_: results).handle([{"body": {"inputs": inputs, **more}}], context)
    return answer


@pytest.mark.parametrize(
    ("result", "datatype", "data"),
    [
        ([1, 2], "INT64", [1, 2]),
        ([[0.5], [1.5]], "FP64", [0.5, 1.5]),
        ([True], "BOOL", [True]),
        ("text", "BYTES", ["text"]),
        ({"k": 1}, "BYTES", [{"k": 1}]),
    ],
)
def test_the_second_protocol_says_what_the_data_are(result, datatype, data, context):
    assert second([result], context)["outputs"] == [
        {"name": "n", "datatype": datatype, "data": data, "shape": [len(data)]}
    ]


def test_the_second_protocol_answers_with_the_id_of_the_request_once(context):
    assert second([1], context, id="mine")["id"] == "mine"
    assert second([1], context)["id"] == "id-1"
    assert (second([1], context)["model_name"], second([1], context)["model_version"]) == ("m", "2.0")


def test_the_second_protocol_names_what_has_no_input(context):
    assert [each["name"] for each in second([1, 2], context)["outputs"]] == ["n", "output-1"]


def test_the_second_protocol_does_without_a_manifest(context):
    context.manifest = None
    assert second([1], context)["model_name"] is None
