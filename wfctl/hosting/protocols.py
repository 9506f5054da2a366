"""Serving protocols at the ends of a workflow: tensors in and out, instances in and predictions out.

Runs in the workers of entries and leaves, so that the server's own process parses no payload. Sources: Open Inference
Protocol, ``inference_rest.md`` (names, shapes, datatypes, row-major data); KServe's version 1 (``instances``,
``predictions``). Where an entry has the envelope of a protocol, the envelope reads the request, and not we.
"""

import json
from itertools import chain
from math import prod
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


def read_protocol(call: Call) -> dict[str, Any] | None:
    """Return the row of a request in a protocol, or ``None`` for a call that carries none.

    Version 1: ``body`` is the whole request, as the original hands it over. Version 2: one value for each tensor under
    its name, nested by its shape; a tensor that is alone is ``body`` too. Raises ``MalformedInputError``.
    """
    call.tag = None
    (part, *more) = call.parts
    if part.content_type is None or more or part.name != _BODY:
        return None  # between nodes, or a form
    try:
        told = json.loads(bytes(part.body).decode("utf-8"))
    except (ValueError, RecursionError) as reason:
        raise MalformedInputError(f"the request is no JSON: {reason}") from reason
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
            raise MalformedInputError(f'inputs[{at}]: there are two tensors "{name[:40]}"')
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
    if datatype != _BYTES and datatype not in _NUMBERS:
        raise MalformedInputError(f'{where}: there is no datatype "{datatype}"')
    flat = _flat(data)
    if len(flat) != prod(shape):
        raise MalformedInputError(f"{where}: {len(flat)} elements do not fill shape {shape}")
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
            raise MalformedInputError(f"{where}: {json.dumps(value)[:40]} is no {datatype}")


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
    for size in reversed(shape[1:]):
        flat = [flat[at : at + size] for at in range(0, len(flat), size)] if size else [[] for _ in range(shape[0])]
    return flat


def write_protocol(output: Any, face: int, node: str) -> bytes:
    """Return what a leaf adds to the answer: predictions as a JSON list, or tensors with commas between them."""
    text = to_json(output)
    if face == Face.V1_OF_MANY:
        return text
    value = json.loads(text)
    if face == Face.V1:
        known = value.get("predictions") if isinstance(value, dict) else value
        return json.dumps(known if isinstance(known, list) else [value]).encode("ascii")
    tensors = _tensors_of(value, node, f"{node}." if face == Face.V2_OF_MANY else "")
    return b", ".join(json.dumps(tensor).encode("ascii") for tensor in tensors)


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
        shape, datatype, flat = [1], _BYTES, [json.dumps(value)]
    return {"name": name, "datatype": datatype, "shape": shape or [1], "data": flat}


def _shape_of(value: Any) -> list[int] | None:
    """Return the shape of nested lists, ``[]`` for a single value, ``None`` for ragged ones."""
    if not isinstance(value, list):
        return None if isinstance(value, dict) else []
    shapes = [_shape_of(each) for each in value]
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
