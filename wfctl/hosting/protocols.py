"""Serving protocols at the ends of a workflow: tensors in and out, instances in and predictions out.

Runs in the workers of entries and leaves, so that the server's own process parses no payload. Sources: Open Inference
Protocol, ``inference_rest.md`` (names, shapes, datatypes, row-major data); KServe's version 1 (``instances``,
``predictions``). Where an entry has the envelope of a protocol, the envelope reads the request, and not we.
Invariant: a bad request is a ``MalformedInputError``, whatever JSON it is, and what is written is strict JSON.
"""

import json
from itertools import chain
from math import isfinite, prod
from typing import Any

from wfctl.engine.call import Call, Face
from wfctl.hosting.malformed import MalformedInputError
from wfctl.hosting.outputs import UnsupportedOutputError, to_json

_BYTES, _BODY = "BYTES", "body"
_NUMBERS = frozenset(
    {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "BF16", "FP32", "FP64"}
)
_DEEPEST = 32
_MOST_EMPTY = 10_000
_TENSOR_KEYS = ("name", "shape", "datatype", "data")
_MOST_SHOWN = 40


def read_protocol(call: Call) -> dict[str, Any] | None:
    """Return the row of a request in a protocol, or ``None`` for a call that carries none.

    Version 1: ``body`` is the whole request, as the original hands it over. Version 2: one value for each tensor under
    its name, nested by its shape; a tensor that is alone is ``body`` too. Raises ``MalformedInputError``.
    """
    call.tag = None
    if not call.parts:
        raise MalformedInputError("the request has no body")  # a form without a field
    (part, *more) = call.parts
    if part.content_type is None or more or part.name != _BODY:
        return None  # between nodes, or a form
    try:
        told = json.loads(bytes(part.body).decode("utf-8"))
    except ValueError as reason:
        raise MalformedInputError(f"the request is no JSON: {reason}") from reason
    except RecursionError as reason:
        raise MalformedInputError("the request is nested too deep to be read") from reason
    if not isinstance(told, dict):
        raise MalformedInputError("the request is no JSON object")
    if call.face in {Face.V1, Face.V1_OF_MANY}:
        return {_BODY: told}
    return _row_of(told, call)


def _row_of(told: dict[str, Any], call: Call) -> dict[str, Any]:
    tensors = told.get("inputs")
    if not isinstance(tensors, list) or not tensors:
        raise MalformedInputError('the request has no "inputs": a list of tensors is meant')
    if "id" in told:
        if not isinstance(told["id"], str):
            raise MalformedInputError("the id of the request is no text")
        call.tag = json.dumps(told["id"])
    row: dict[str, Any] = {}
    for at, tensor in enumerate(tensors):
        name, value = _named_value(at, tensor)
        if name in row:
            raise MalformedInputError(f'inputs[{at}]: there are two tensors "{name[:_MOST_SHOWN]}"')
        row[name] = value
    if len(row) == 1:
        row.setdefault(_BODY, next(iter(row.values())))
    return row


def _named_value(at: int, tensor: Any) -> tuple[str, Any]:
    where = f"inputs[{at}]"
    if not isinstance(tensor, dict):
        raise MalformedInputError(f"{where} is no tensor: an object is meant")
    missing = [key for key in _TENSOR_KEYS if key not in tensor]
    if missing:
        raise MalformedInputError(f'{where} has no "{missing[0]}"')
    name, shape, datatype, data = (tensor[key] for key in _TENSOR_KEYS)
    if not isinstance(name, str) or not name:
        raise MalformedInputError(f"{where}: its name is no text")
    if not _is_shape(shape):
        raise MalformedInputError(f"{where}: its shape is no list of sizes")
    if not isinstance(datatype, str):
        raise MalformedInputError(f"{where}: its datatype is no text")
    if datatype != _BYTES and datatype not in _NUMBERS:
        raise MalformedInputError(f'{where}: there is no datatype "{datatype[:_MOST_SHOWN]}"')
    flat = _flat(data)
    if len(flat) != prod(shape):
        shown = _cut(str(shape))
        raise MalformedInputError(f"{where}: {len(flat)} elements do not fill shape {shown}")
    _refuse_wrong(flat, datatype, where)
    if datatype == _BYTES and len(flat) == 1:
        return name, flat[0]
    return name, _nested(flat, shape)


def _is_shape(shape: Any) -> bool:
    """Whether it is a list of sizes; of lists that are empty there may not be more than anybody could send."""
    return (
        isinstance(shape, list)
        and len(shape) <= _DEEPEST
        and all(type(size) is int and size >= 0 for size in shape)
        and (0 not in shape or prod(max(size, 1) for size in shape) <= _MOST_EMPTY)
    )


def _refuse_wrong(flat: list[Any], datatype: str, where: str) -> None:
    wanted: tuple[type, ...] = (int,)
    if datatype == _BYTES:
        wanted = (str,)
    elif datatype == "BOOL":
        wanted = (bool, int)
    elif "FP" in datatype or datatype == "BF16":
        wanted = (int, float)
    least = 0 if datatype.startswith("UINT") else None
    for value in flat:
        if type(value) not in wanted or (least is not None and value < least):
            raise MalformedInputError(f"{where}: {_shown(value)} is no {datatype}")


def _shown(element: Any) -> str:
    """Return an element for a message; an object may be too deep to be written, and says nothing of use."""
    if isinstance(element, dict):
        return "an object"
    return _cut(json.dumps(element[:_MOST_SHOWN] if isinstance(element, str) else element))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _flat(data: Any) -> list[Any]:
    """Return the elements in row-major order, whether they came flat or nested."""
    values = data if isinstance(data, list) else [data]
    for _ in range(_DEEPEST):
        if not any(isinstance(value, list) for value in values):
            return values
        values = list(chain.from_iterable(value if isinstance(value, list) else [value] for value in values))
    raise MalformedInputError(f"a tensor is nested more than {_DEEPEST} deep")


def _nested(flat: list[Any], shape: list[int]) -> Any:
    if not shape:
        return flat[0]
    if 0 in shape:
        return _empty(shape)
    for size in reversed(shape[1:]):
        flat = [flat[at : at + size] for at in range(0, len(flat), size)]
    return flat


def _empty(shape: list[int]) -> list[Any]:
    """Return the lists of a tensor without elements, down to the first size that is zero."""
    size, *rest = shape
    return [_empty(rest) for _ in range(size)]


def write_protocol(output: Any, face: int, node: str) -> bytes:
    """Return what a leaf adds to the answer: predictions as a JSON list, or tensors with commas between them.

    Raises ``UnsupportedOutputError``, and nothing else.
    """
    try:
        text = to_json(output)
    except RecursionError as reason:
        raise UnsupportedOutputError("an item is nested too deep to be written") from reason
    if face == Face.V1_OF_MANY:
        return text
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_no_constant)
        return _predictions(value) if face == Face.V1 else _tensors(value, node, face)
    except RecursionError:  # how deep JSON is read and written is not the same
        return b"[%b]" % text if face == Face.V1 else _dumped(_told(node, text.decode("utf-8")))


def _finite(text: str) -> float | None:
    """Read a number that is too large as ``null``: else it would be an infinity, which JSON has no word for."""
    number = float(text)
    return number if isfinite(number) else None


def _no_constant(_name: str) -> None:
    """Read ``NaN`` and the infinities as ``null`` too."""


def _dumped(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode("ascii")


def _predictions(value: Any) -> bytes:
    known = value.get("predictions") if isinstance(value, dict) else value
    return _dumped(known if isinstance(known, list) else [value])


def _tensors(value: Any, node: str, face: int) -> bytes:
    lead = f"{node}." if face == Face.V2_OF_MANY else ""
    return b", ".join(map(_dumped, _tensors_of(value, node, lead)))


def _tensors_of(value: Any, node: str, lead: str) -> list[dict[str, Any]]:
    """Return the tensors in an output: its own, if it is an answer of the protocol; one a key; or just one."""
    if not isinstance(value, dict):
        return [_tensor(node, value)]
    own = value.get("outputs")
    if isinstance(own, list):
        if not all(isinstance(each, dict) and all(key in each for key in _TENSOR_KEYS) for each in own):
            raise UnsupportedOutputError('"outputs" of the answer are no tensors: name, shape, datatype and data')
        return own
    return [_tensor(f"{lead}{key}", each) for key, each in value.items()]


def _tensor(name: str, value: Any) -> dict[str, Any]:
    shape = _shape_of(value)
    flat = [] if shape is None else _flat(value)
    datatype = _datatype_of(flat)
    if shape is None or datatype is None:  # what is no tensor is told as JSON
        return _told(name, json.dumps(value, allow_nan=False))
    return {"name": name, "datatype": datatype, "shape": shape or [1], "data": flat}


def _told(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "datatype": _BYTES, "shape": [1], "data": [text]}


def _shape_of(value: Any, above: int = 0) -> list[int] | None:
    """Return the shape of nested lists, ``[]`` for a single value, ``None`` for ragged ones and for very deep ones."""
    if not isinstance(value, list):
        return None if isinstance(value, dict) else []
    if above == _DEEPEST:
        return None
    shapes = [_shape_of(each, above + 1) for each in value]
    first = shapes[0] if shapes else []
    return None if first is None or any(shape != first for shape in shapes) else [len(value), *first]


def _datatype_of(flat: list[Any]) -> str | None:
    """Return the datatype that all elements have, ``None`` if there is none."""
    kinds = {type(each) for each in flat}
    if kinds <= {int, float} and kinds:
        if kinds == {int}:
            return "INT64" if all(-(2**63) <= each < 2**63 for each in flat) else None
        return "FP64"
    if not kinds:
        return "FP64"
    return "BOOL" if kinds == {bool} else _BYTES if kinds == {str} else None
