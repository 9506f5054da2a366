"""Values as bodies and back: random ones, each kind that needs care, and bodies that nobody of ours wrote."""

import collections
import dataclasses
import datetime as dt
import decimal
import gc
import pickle
import subprocess
import sys
import types
from ctypes import addressof, c_char
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wfctl.engine.call import Pieces
from wfctl.hosting.array_pickles import TENSOR_TYPES
from wfctl.hosting.object_pickles import UnreadableValueError
from wfctl.hosting.objects import from_body, to_body
from wfctl.hosting.outputs import UnsupportedOutputError

LARGE = 100_000


def sent(value: Any, **how: bool) -> Any:
    """Return what arrives of a value, from memory of its own as a worker has it."""
    return from_body(bytearray(bytes(to_body(value))), **how)


def told(value: Any) -> Any:
    """Return a value such that two are equal if and only if nothing tells them apart."""
    match value:
        case torch.Tensor():
            flat = value.contiguous().reshape(-1)
            return (
                "tensor",
                value.dtype,
                tuple(value.shape),
                bytes(flat.view(torch.uint8).tolist() if len(flat) else ()),
            )
        case np.ndarray():
            return "array", value.dtype.str, value.shape, value.tobytes()
        case np.generic():
            return "scalar", value.dtype.str, value.tobytes()
        case dict():
            return "dict", [(told(key), told(each)) for key, each in value.items()]
        case list() | tuple():
            return type(value), [told(each) for each in value]
        case _:
            return type(value), repr(value)


def tensor_of(name: str, shape: list[int], data: bytes) -> torch.Tensor:
    dtype = getattr(torch, name)
    filled = (data * (dtype.itemsize * 64 // len(data) + 1))[: dtype.itemsize * int(np.prod(shape))]
    if name == "bool":
        filled = bytes(each & 1 for each in filled)
    flat = torch.frombuffer(bytearray(filled), dtype=dtype) if filled else torch.empty(0, dtype=dtype)
    return flat.reshape(shape)


def array_of(dtype: str, shape: list[int], first: int) -> np.ndarray:
    array = np.zeros(shape, dtype)
    array.reshape(-1).view(np.uint8)[:: array.dtype.itemsize] = first % 2 if dtype == "|b1" else first
    return array


SHAPES = st.lists(st.integers(0, 4), max_size=3)
TENSORS = st.builds(tensor_of, st.sampled_from(sorted(TENSOR_TYPES)), SHAPES, st.binary(min_size=1, max_size=9))
TURNED = TENSORS.map(lambda tensor: tensor.permute(tuple(reversed(range(tensor.dim())))))
ARRAY_TYPES = ["<f8", ">f4", "<f2", "<i8", ">i2", "|u1", "|b1", "<c16", "<M8[ns]", "<m8[s]", "|S3", "<U2", "<f8,|i1"]
ARRAYS = st.builds(array_of, st.sampled_from(ARRAY_TYPES), SHAPES, st.integers(0, 60))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.binary(max_size=5).map(bytearray),
    TENSORS,
    TURNED,
    ARRAYS,
    ARRAYS.map(np.transpose),
    st.floats(width=32).map(np.float32),
    st.integers(-9, 9).map(np.int64),
)
NESTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore:ComplexHalf:UserWarning")
@given(value=NESTS, padding=st.integers(0, 40), is_plain=st.booleans())
def test_whatever_is_nested_arrives_as_it_was(value, padding, is_plain):
    # Large neighbours make buffers of their own, and odd sizes shift what comes behind them.
    whole = [bytes(LARGE + padding), value, torch.arange(LARGE, dtype=torch.int16), np.arange(LARGE + padding)]
    is_plain = is_plain and "V" not in str(told(value))  # of arrays with fields
    assert told(sent(whole, is_plain=is_plain)) == told(whole)
    assert told(sent(value, is_plain=is_plain)) == told(value)


def failure_of(body: bytes) -> type[BaseException] | None:
    try:
        from_body(body, is_plain=True)
    except BaseException as reason:  # noqa: BLE001
        return type(reason)
    return None


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_body_gives_a_value_or_the_one_exception(data):
    value = data.draw(st.sampled_from([[np.arange(9_000), "text", {1, 2}, bytes(5)], torch.arange(200).view(20, 10)]))
    body = bytearray(bytes(to_body(value)))
    for at in data.draw(st.lists(st.integers(0, len(body) - 1) | st.integers(0, 200), max_size=4)):
        body[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([None, 0, 3, 16, 40, 200, len(body) - 1]))
    assert failure_of(bytes(body[:cut])) in {None, UnreadableValueError}


@pytest.mark.parametrize("body", [b"", b"wo", b"{}", bytes(16), b"wo\x04\x00" + bytes(12), bytes(to_body(1)) + b"x"])
def test_what_is_no_body_is_said_to_be_none(body):
    with pytest.raises(UnreadableValueError):
        from_body(body)


# Memory


@pytest.mark.parametrize("value", [b"a" * 9, b"a" * LARGE, bytearray(b"a" * 9), bytearray(b"a" * LARGE)])
def test_bytes_stay_what_they_are(value):
    found = sent(value)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("size", [1, LARGE])
@pytest.mark.parametrize("is_given_away", [True, False])
def test_what_arrives_may_be_changed_and_changes_nothing_else(size, is_given_away):
    tensor, array = torch.zeros(size), np.zeros(size)
    array.flags.writeable = False
    whole = bytes(to_body([tensor, array, np.broadcast_to(1.0, (size,))]))
    kind = bytearray if is_given_away else bytes
    first, second = (from_body(kind(whole)) for _ in range(2))
    for each in first:
        each[:] = each + 1
    assert [float(each.sum()) for each in first] == [size, size, 2 * size]
    assert [float(each.sum()) for each in second] == [0, 0, size]
    assert not tensor.any()


def test_large_tensors_lie_in_the_memory_of_the_body_and_small_ones_do_not():
    body = bytearray(bytes(to_body({"large": torch.zeros(LARGE), "small": torch.zeros(5_000)})))
    begin = addressof(c_char.from_buffer(body))
    found = from_body(body)
    is_inside = {name: begin <= each.data_ptr() < begin + len(body) for name, each in found.items()}
    assert is_inside == {"large": not begin % 16, "small": False}


@pytest.mark.parametrize("shift", range(1, 16))
def test_numbers_lie_where_numbers_may_however_the_body_lies(shift):
    body = bytearray(bytes(shift) + bytes(to_body([torch.ones(LARGE, dtype=torch.float64), np.ones(LARGE)])))
    del body[:shift]
    tensor, array = from_body(body)
    assert (tensor.data_ptr() % 8, array.flags.aligned) == (0, True)
    assert tensor.sum() == array.sum() == LARGE


def test_a_row_travels_without_its_batch():
    batch = torch.zeros(1_000, 1_000)
    assert len(to_body(batch[5])) < 5_000
    assert len(to_body(batch.numpy()[5])) < 9_000
    assert len(to_body(batch.expand(10, 1_000, 1_000)[3, 7])) < 5_000


def test_pieces_outlive_the_value_that_they_are_of():
    body = to_body([torch.arange(float(LARGE)), np.arange(LARGE).reshape(10, -1).T])
    assert isinstance(body, Pieces)
    gc.collect()
    noise = [torch.full((LARGE,), -1.0) for _ in range(20)]
    tensor, array = from_body(bytearray(bytes(body)))
    assert torch.equal(tensor, torch.arange(float(LARGE)))
    assert array[3, 1] == LARGE // 10 + 3
    assert len(noise) == 20


def test_pieces_are_as_long_as_what_is_written_of_them():
    body = to_body({"a": torch.zeros(LARGE), "b": np.zeros((300, 300)), "c": "x"})
    assert len(body) == sum(len(each) for each in body.buffers) == len(bytes(body))
    assert repr(body) == f"Pieces({len(body.buffers)} buffers, {len(body)} bytes)"


# Tensors that need care


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(1.5, dtype=torch.bfloat16),
        torch.zeros(0, 4, dtype=torch.bool),
        torch.arange(6).reshape(2, 3).T,
        torch.arange(10)[::3],
        torch.arange(3).expand(4, 3),
        torch.arange(6).flip(0),
        torch.tensor([1 + 2j]).conj(),
        torch.tensor([1 + 2j]).conj().imag,
        torch._efficientzerotensor(3),
        torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last),
        torch.eye(3).to_sparse(),
        torch.empty(3, device="meta"),
    ],
    ids=[
        "0-d",
        "empty",
        "turned",
        "steps",
        "expanded",
        "flipped",
        "conjugate",
        "negative",
        "zeros",
        "channels",
        "sparse",
        "meta",
    ],
)
# Some releases of torch warn once of every sparse tensor, also of those that they make themselves.
@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
def test_a_tensor_of_any_kind_arrives(tensor):
    for found in (sent({"tensor": tensor})["tensor"], sent(tensor)):
        assert (found.dtype, found.shape, found.layout) == (tensor.dtype, tensor.shape, tensor.layout)
        assert tensor.is_meta or torch.equal(found.to_dense(), tensor.to_dense())


def test_a_tensor_that_no_library_is_there_for_is_said_to_be_unreadable(monkeypatch):
    body = bytearray(to_body(torch.ones(3)))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UnreadableValueError, match="torch"):
        from_body(body)


def test_gradients_stay_behind():
    weight = torch.ones(3, requires_grad=True)
    for tensor in (weight, weight * 2):
        found = sent(tensor)
        assert (found.requires_grad, found.is_leaf) == (False, True)
        assert torch.equal(found, tensor.detach())


def test_a_subclass_goes_by_torchs_own_way():
    found = sent(torch.nn.Parameter(torch.ones(LARGE)))
    assert (type(found), found.requires_grad, float(found.detach().sum())) == (torch.nn.Parameter, True, LARGE)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning", "ignore:TypedStorage:UserWarning")
def test_a_quantised_tensor_goes_by_torchs_own_way():
    tensor = torch.quantize_per_tensor(torch.arange(3.0), 0.5, 1, torch.qint8)
    assert torch.equal(sent(tensor).dequantize(), tensor.dequantize())


def test_a_module_arrives_with_its_weights():
    layer = torch.nn.Linear(100, 100)
    found = sent(layer)
    assert torch.equal(found(torch.ones(100)), layer(torch.ones(100)))


def test_attributes_of_a_tensor_travel_with_it():
    tensor = torch.ones(2)
    tensor.labels = ["a", "b"]
    assert sent(tensor).labels == ["a", "b"]


def test_a_small_tensor_is_less_than_half_of_what_torch_makes_of_it():
    tensor = torch.arange(25.0)
    assert len(to_body(tensor)) < len(pickle.dumps(tensor, 5)) / 2


# Other values


@dataclasses.dataclass
class Box:
    label: str
    corners: torch.Tensor


def test_classes_that_can_be_imported_arrive_as_objects():
    found = sent([Box("a", torch.zeros(2)), collections.Counter("aab"), decimal.Decimal("1.5")])
    assert (found[0].label, found[0].corners.tolist()) == ("a", [0.0, 0.0])
    assert found[1:] == [collections.Counter("aab"), decimal.Decimal("1.5")]


def test_pictures_arrive():
    picture = Image.new("RGB", (400, 300), (1, 2, 3))
    found = sent({"picture": picture})["picture"]
    assert (found.size, found.mode, found.tobytes()) == (picture.size, "RGB", picture.tobytes())


def test_one_object_met_twice_arrives_as_one_and_a_value_may_contain_itself():
    tensor = torch.zeros(LARGE)
    loop: dict[str, Any] = {"both": [tensor, tensor]}
    loop["self"] = loop
    assert len(to_body(loop)) < 2 * tensor.nbytes
    found = sent(loop)
    assert found["self"] is found
    assert found["both"][0] is found["both"][1]


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_keeps_its_order_in_memory(order):
    array = np.asarray(np.arange(LARGE).reshape(100, -1), order=order)
    found = sent(array)
    assert (found.flags.c_contiguous, found.flags.f_contiguous) == (array.flags.c_contiguous, array.flags.f_contiguous)
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, "a", None], dtype=object),
        np.ma.masked_array([1, 2], mask=[True, False]),
        np.zeros(3, dtype=[("a", "i4"), ("b", "f8")]),
        np.zeros(3, dtype=[("a", "i4"), ("b", object)]),
        np.zeros(3, dtype=[("a", "i4")]).view(np.recarray),
        np.zeros(2, dtype=[("a", "i4")])[0],
    ],
    ids=["objects", "masked", "fields", "fields with objects", "records", "a record"],
)
def test_arrays_of_other_kinds_arrive(array):
    found = sent(array)
    assert (type(found), found.dtype) == (type(array), array.dtype)
    assert found.tolist() == array.tolist()


# What cannot be sent, or not be read


class Hostile:
    def __init__(self, raised: BaseException) -> None:
        self.raised = raised

    def __reduce__(self):
        raise self.raised


def too_deep():
    value: list = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Hostile(KeyError("mine")), "Hostile cannot be handed on: KeyError: 'mine'"),
        (Hostile(SystemExit(3)), "Hostile cannot be handed on: SystemExit: 3"),
        ([lambda: 1], "list cannot be handed on: .*lambda"),
        ({"lock": sys.stdout}, "dict cannot be handed on: TypeError: cannot pickle"),
        (too_deep(), "list cannot be handed on: RecursionError"),
        ((each for each in ()), "generator cannot be handed on"),
    ],
    ids=["raises", "exits", "lambda", "stream", "deep", "generator"],
)
def test_what_cannot_be_taken_apart_is_said_with_its_type(value, words):
    with pytest.raises(UnsupportedOutputError, match=words):
        to_body(value)


class Exploding:
    def __reduce__(self):
        return divmod, (1, 0)


def test_what_rebuilding_raises_is_the_reason():
    with pytest.raises(UnreadableValueError, match="rebuilding it raised ZeroDivisionError"):
        sent(Exploding())


def test_a_class_that_is_unknown_here_is_named():
    module = types.ModuleType("only_there")
    sys.modules["only_there"] = module
    exec("class Detection: pass", vars(module))
    body = bytes(to_body([module.Detection(), Box("a", torch.zeros(1))]))
    del module.Detection
    with pytest.raises(UnreadableValueError, match='"Detection" of module "only_there" is not known here'):
        from_body(body)
    del sys.modules["only_there"]
    with pytest.raises(UnreadableValueError, match=r"No module named 'only_there'.*\nhelp: send plain values"):
        from_body(body)


# From whom nothing is trusted


def test_plain_values_pass_where_nothing_else_does():
    value = {
        "tensor": torch.arange(3),
        "array": np.arange(LARGE),
        "score": np.float32(0.5),
        "when": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "kinds": {1, 2},
        "order": collections.OrderedDict(a=1),
        "shape": torch.Size([1, 2]),
        "price": decimal.Decimal("1.5"),
    }
    assert told(sent(value, is_plain=True)) == told(value)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Box("a", torch.zeros(1)), "Box"),
        (Exploding(), "divmod"),
        (print, "print"),
        (np.zeros(1, dtype=[("a", "i4")]), "dtype"),
        (np.array([1, None]), "_reconstruct"),
        (torch.eye(2).to_sparse(), "_rebuild_sparse_tensor"),
        (torch.nn.Parameter(torch.ones(1)), "_rebuild_parameter"),
        (collections.defaultdict(list), "defaultdict"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_nothing_else_is_named_by_who_is_not_trusted(value, name):
    with pytest.raises(
        UnreadableValueError, match=f'"{name}" of module ".*" is not taken from a node whose code is not'
    ):
        sent(value, is_plain=True)


@pytest.mark.parametrize("function", ["os.system", "builtins.eval", "wfctl.hosting.array_pickles.ctypes.string_at"])
def test_a_pickle_made_by_hand_reaches_no_function(function):
    module, _, name = function.rpartition(".")
    text = b"\x80\x05" + b"".join(b"\x8c%c%b" % (len(each), each.encode()) for each in (module, name)) + b"\x93."
    head = bytes(to_body(None))[:8] + len(text).to_bytes(8, "little")
    with pytest.raises(UnreadableValueError, match="not trusted"):
        from_body(head + text, is_plain=True)


@pytest.mark.parametrize("is_alone", [True, False])
def test_the_type_of_a_tensor_is_one_that_torch_survives(is_alone):
    tensor = torch.zeros(4, dtype=torch.int8)
    body = bytes(to_body(tensor if is_alone else [tensor])).replace(b"int8", b"qint")
    with pytest.raises(UnreadableValueError, match='there is no tensor of type "qint"'):
        from_body(body, is_plain=True)


def test_a_value_without_tensors_brings_neither_torch_nor_numpy():
    program = """
import sys
from wfctl.hosting.objects import from_body, to_body
assert from_body(to_body({"a": [1, "b", {2}]})) == {"a": [1, "b", {2}]}
assert not {"torch", "numpy"} & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
