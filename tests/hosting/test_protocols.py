"""What the ends of a workflow make of requests and answers in serving protocols, whatever stands in them."""

import json
from math import isfinite, nan

import pytest
from fakes.calls import ReadableIds
from hypothesis import example, given
from hypothesis import strategies as st

from wfctl.engine.call import FACE_BIT, Call, Face, Part
from wfctl.hosting.inputs import row_or_refusal
from wfctl.hosting.malformed import MalformedInputError
from wfctl.hosting.outputs import UnsupportedOutputError
from wfctl.hosting.protocols import read_protocol, write_protocol

IN = [Face.V1, Face.V1_OF_MANY, Face.V2, Face.V2_OF_MANY]
KEYS = ["name", "shape", "datatype", "data", "inputs", "outputs", "predictions", "id", "body"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 3)
    | st.sampled_from([10**4000, -(10**4000)])
    | st.floats()
    | st.text(st.characters(), max_size=5)  # with lone surrogates: JSON may hold them
    | st.sampled_from([*KEYS, "INT64", "FP32", "BYTES", "BOOL", "UINT8", "x"])
)
ANY = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
        | st.fixed_dictionaries(dict.fromkeys(("name", "shape", "datatype", "data"), inner))
    ),
    max_leaves=20,
)
TENSOR = st.fixed_dictionaries(
    {
        "name": st.text(max_size=3) | ANY,
        "shape": st.lists(st.integers(0, 3), max_size=4) | ANY,
        "datatype": st.sampled_from(["INT64", "FP32", "BYTES", "BOOL", "UINT8"]) | ANY,
        "data": st.lists(SCALARS, max_size=9) | ANY,
    }
)
REQUESTS = ANY | st.fixed_dictionaries({"inputs": st.lists(TENSOR, max_size=3)}, optional={"id": ANY})


def asked(face, *parts):
    return Call(1, parts, ReadableIds(), form=face << FACE_BIT)


def read(told, face=Face.V2):
    text = told if isinstance(told, str) else json.dumps(told)
    return read_protocol(asked(face, Part("body", text.encode(), "application/json")))


def read_or_refused(told, face):
    """Return the row, or why there is none."""
    try:
        return read(told, face)
    except MalformedInputError as reason:
        return str(reason)


def tensor(**changed):
    return {"name": "x", "shape": [1], "datatype": "INT64", "data": [1]} | changed


def nested(value, deep):
    for _ in range(deep):
        value = [value]
    return value


def no_constant(name):
    raise AssertionError(f"{name} is no JSON")


def written(output, face=Face.V2, node="n"):
    """Return what is written, read as strictly as JSON can be; tensors as a list."""
    text = write_protocol(output, face, node)
    return json.loads(b"[%b]" % text if face in {Face.V2, Face.V2_OF_MANY} else text, parse_constant=no_constant)


@pytest.mark.parametrize("face", IN)
@given(told=REQUESTS)
@example(told={"inputs": [{"name": "x", "shape": [1], "datatype": [], "data": [1]}]})
@example(told={"inputs": [{"name": "x", "shape": [10**4000] * 32, "datatype": "FP32", "data": []}]})
def test_a_request_is_read_or_malformed_whatever_json_it_is(face, told):
    row = read_or_refused(told, face)
    assert len(row) < 200 if isinstance(row, str) else "body" in row or len(row) > 1


@pytest.mark.parametrize("deep", [*range(900, 1010, 5), 100_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
@pytest.mark.parametrize("face", [Face.V1, Face.V2])
def test_a_request_of_any_depth_is_read_or_malformed(face, begin, end, deep):
    text = begin * deep + "1" + end * deep
    for whole in (
        f'{{"inputs": [{{"name": "x", "shape": [1], "datatype": "INT64", "data": [{text}]}}]}}',
        f'{{"inputs": [{{"name": "x", "shape": [1], "datatype": {text}, "data": [1]}}]}}',
    ):
        found = read_or_refused(whole, face)
        assert found == "the request is nested too deep to be read" or deep < 100_000
        assert found
        assert not isinstance(found, str) or "recursion" not in found


@pytest.mark.parametrize("face", IN)
def test_a_form_without_a_field_is_a_bad_request_and_no_failure_of_the_node(face):
    refusal = row_or_refusal(asked(face))
    assert (refusal.status, refusal.is_final, refusal.is_of_input) == (400, True, True)
    assert refusal.message == "the request has no body"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"datatype": []}, "its datatype is no text"),
        ({"datatype": {"a": 1}}, "its datatype is no text"),
        ({"datatype": None}, "its datatype is no text"),
        ({"datatype": "X" * 1000}, f'there is no datatype "{"X" * 40}"'),
        ({"data": [{"a": 1}]}, "an object is no INT64"),
        ({"data": ["long" * 1000]}, f'"{"long" * 9}lon... is no INT64'),
        ({"shape": [7**200]}, f"1 elements do not fill shape {str([7**200])[:40]}..."),
    ],
)
def test_a_tensor_that_is_none_says_why_in_few_words(changed, reason):
    with pytest.raises(MalformedInputError) as caught:
        read({"inputs": [tensor(**changed)]})
    assert str(caught.value) == f"inputs[0]: {reason}"


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ([0], []),
        ([0, 3], []),
        ([2, 0], [[], []]),
        ([2, 0, 3], [[], []]),
        ([2, 3, 0], [[[], [], []], [[], [], []]]),
        ([1, 2, 2, 0], [[[[], []], [[], []]]]),
    ],
    ids=str,
)
def test_a_tensor_without_elements_is_nested_by_its_shape(shape, value):
    assert read({"inputs": [tensor(shape=shape, data=[])]})["x"] == value


def test_elements_are_nested_in_row_major_order_flat_or_not():
    value = [[[1, 2], [3, 4], [5, 6]]]
    for data in ([1, 2, 3, 4, 5, 6], value, [[1, 2, 3], [4, 5, 6]]):
        assert read({"inputs": [tensor(shape=[1, 3, 2], data=data)]})["x"] == value
    assert read({"inputs": [tensor(shape=[], data=7)]})["x"] == 7


def is_text(output):
    try:
        output.encode()
    except UnicodeEncodeError:
        return False
    return True


def promises_tensors(output):
    """Whether an output is an answer of the protocol itself, with outputs that are no tensors."""
    try:
        value = json.loads(output) if isinstance(output, str | bytes) else output
    except (ValueError, RecursionError):
        return False
    own = value.get("outputs") if isinstance(value, dict) else None
    return isinstance(own, list) and not all(isinstance(each, dict) and tensor().keys() <= each.keys() for each in own)


@pytest.mark.parametrize("face", IN)
@given(output=ANY | st.binary(max_size=9) | ANY.map(json.dumps) | st.floats())
@example(output={"outputs": [None]})
@example(output='{"outputs": [{"name": "x"}]}')
def test_what_is_written_is_strict_json_or_the_output_is_unsupported(face, output):
    is_broken = face in {Face.V2, Face.V2_OF_MANY} and promises_tensors(output)
    if is_broken or (isinstance(output, str) and not is_text(output)):
        with pytest.raises(UnsupportedOutputError):
            written(output, face)
    else:
        written(output, face)


@pytest.mark.parametrize("deep", [33, 40, 300, 600, 900, *range(960, 1000), 5000])
@pytest.mark.parametrize("face", IN)
@pytest.mark.parametrize("is_words", [True, False], ids=["text", "value"])
def test_an_answer_of_any_depth_is_written_or_unsupported(face, deep, is_words):
    # The text holds a constant: such a one is written anew, which does not go as deep as reading it.
    output = "[" * deep + "NaN" + "]" * deep if is_words else nested(1, deep)
    try:
        assert write_protocol(output, face, "n")
    except UnsupportedOutputError:
        assert deep > 100


def test_an_answer_deeper_than_a_tensor_is_told_as_json():
    (deep,) = written(nested(1, 32))
    assert (deep["shape"], deep["datatype"], deep["data"]) == ([1] * 32, "INT64", [1])
    (deeper,) = written(nested(1, 33))
    assert deeper == {"name": "n", "datatype": "BYTES", "shape": [1], "data": [json.dumps(nested(1, 33))]}
    (ragged,) = written({"a": [1, nested(1, 600)]}, Face.V2_OF_MANY)
    assert (ragged["name"], json.loads(ragged["data"][0])) == ("n.a", [1, nested(1, 600)])


@pytest.mark.parametrize("output", ["[1e999]", b"[-1e999]", "[NaN]", [nan], "[" + "9" * 400 + ".0]"], ids=repr)
def test_a_number_that_json_has_no_word_for_is_null(output):
    assert written(output, Face.V1) == [None]
    assert json.loads(written(output)[0]["data"][0]) == [None]
    assert written({"outputs": [tensor(data=[nan])]}) == [tensor(data=[None])]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_other_numbers_come_out_as_they_are(values):
    (told,) = written(values)
    assert (told["shape"], told["datatype"], told["data"]) == ([len(values)], "FP64", values)
    assert all(map(isfinite, told["data"]))


@pytest.mark.parametrize("output", [{}, {"outputs": []}])
def test_a_leaf_without_tensors_adds_nothing(output):
    assert write_protocol(output, Face.V2_OF_MANY, "n") == b""
