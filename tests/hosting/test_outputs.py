import base64
import io
import json

import numpy as np
import pytest
import torch

from wfctl.hosting.outputs import UnsupportedOutputError, to_bytes, to_json


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        ("é", "é".encode()),
        (1, b"1"),
        (1.5, b"1.5"),
        (True, b"true"),
        (None, b"null"),
        ((1, 2), b"[\n  1,\n  2\n]"),
        ({"k": "é"}, b'{\n  "k": "\\u00e9"\n}'),
        (float("nan"), b"NaN"),
        ([float("inf")], b"[\n  Infinity\n]"),
    ],
    ids=repr,
)
def test_bytes_of_an_item(value, body):
    assert to_bytes(value) == body


def test_a_tensor_becomes_a_file_that_torch_loads():
    tensor = torch.arange(6).reshape(2, 3)
    assert torch.equal(torch.load(io.BytesIO(to_bytes(tensor)), weights_only=True), tensor)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(3, requires_grad=True),
        torch.ones(3, requires_grad=True) * 2,
        torch.tensor(1.5, dtype=torch.bfloat16),
        torch.zeros(0, 4),
        torch.nn.Parameter(torch.ones(2)),
        torch.arange(6).reshape(2, 3).T,
        torch.eye(3).to_sparse(),
    ],
    ids=["gradient", "result", "0-d", "empty", "parameter", "transposed", "sparse"],
)
# Some releases of torch warn once of every sparse tensor, also of those that they make themselves.
@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
def test_a_tensor_of_any_kind_comes_back_as_it_was(tensor):
    found = torch.load(io.BytesIO(to_bytes(tensor)), weights_only=True)
    assert torch.equal(found.to_dense(), tensor.to_dense())
    assert (found.dtype, found.requires_grad) == (tensor.dtype, tensor.requires_grad)


def test_a_row_is_saved_without_the_batch_it_comes_from():
    batch = torch.arange(100_000).reshape(100, 1000)
    assert len(to_bytes(batch[7])) < 2 * len(to_bytes(batch[7].clone()))
    assert torch.equal(torch.load(io.BytesIO(to_bytes(batch[7])), weights_only=True), batch[7])


@pytest.mark.parametrize("value", [np.arange(3), np.int64(1), np.float32(0.5), [np.bool_(True)], {"a": np.zeros(1)}])
def test_what_numpy_has_and_json_has_not_is_refused(value):
    with pytest.raises(UnsupportedOutputError):
        to_bytes(value)


@pytest.mark.parametrize("value", [{1, 2}, object(), {"a": b"b"}, [torch.zeros(1)], "\ud800", {(1, 2): 3}])
def test_what_has_no_form_is_refused_with_its_type(value):
    with pytest.raises(UnsupportedOutputError, match=r"type|text"):
        to_bytes(value)


def test_a_value_that_contains_itself_is_refused():
    loop: list = []
    loop.append(loop)
    with pytest.raises(UnsupportedOutputError):
        to_bytes(loop)


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ({"a": [1]}, {"a": [1]}),
        (b'{"a": 1}', {"a": 1}),
        ("[1, 2]", [1, 2]),
        ("3", 3),
        ("plain", "plain"),
        ("", ""),
        (b"caf\xc3\xa9", "café"),
        (b"\xff\xfe", {"b64": base64.b64encode(b"\xff\xfe").decode()}),
        ([1.0, float("nan")], [1.0, None]),
        (float("-inf"), None),
        ({"NaN": "Infinity"}, {"NaN": "Infinity"}),
        ("[" * 100_000, "[" * 100_000),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_as_json_any_item_is_a_json_text(value, parsed):
    def refuse(name):
        raise AssertionError(name)

    assert json.loads(to_json(value), parse_constant=refuse) == parsed


def test_json_that_is_sound_keeps_its_bytes():
    assert to_json(b'{"b":1,  "a":2}') == b'{"b":1,  "a":2}'


def test_what_json_cannot_say_becomes_null_however_it_is_written():
    assert json.loads(to_json(b"[NaN, 1e999, -Infinity, 1.5]")) == [None, None, None, 1.5]
    deep = b"[" * 900 + b"NaN" + b"]" * 900
    assert json.loads(to_json(deep)) is not None  # as lists, or as the text that it is
