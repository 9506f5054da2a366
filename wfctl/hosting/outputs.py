"""What a handler returned, checked and turned into bytes.

Invariant: torch is never imported here; a value can only be a tensor where somebody else has imported it.
"""

import json
import sys
from base64 import b64encode
from io import BytesIO
from math import isinf
from typing import Any


class UnsupportedOutputError(Exception):
    """A value that has no form in bytes, with the reason."""


def complaint_about(outputs: Any, expected: int) -> tuple[str, str] | None:
    """Return the message and the explanation if ``outputs`` is no list of the right length."""
    if not isinstance(outputs, list):
        found = "nothing" if outputs is None else f"a value of type {type(outputs).__name__}"
        return (
            "Invalid model predict output",
            f"the handler returned {found}; it must return a list, one item per request",
        )
    if len(outputs) != expected:
        found = f"{_counted(len(outputs), 'item')} for {_counted(expected, 'request')}"
        return (
            "number of batch response mismatched",
            f"the handler returned {found}; it must return one item per request",
        )
    return None


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def to_bytes(value: Any) -> bytes:
    """Return the bytes of one item, as the protocol of TorchServe's workers has them."""
    if isinstance(value, bytes | bytearray):
        return value if type(value) is bytes else bytes(value)
    if isinstance(value, str):
        return _utf8(value)
    try:
        # Not strict about NaN on purpose: clients of the original read it.
        return _saved(value) if _is_tensor(value) else json.dumps(value, indent=2).encode("ascii")
    except Exception as reason:  # the values are the user's, and run the user's code when they are looked at
        raise UnsupportedOutputError(f"an item of type {type(value).__name__} cannot be sent on: {reason}") from reason


def to_json(value: Any) -> bytes:
    """Return one item as a JSON text, so that it can stand inside a larger one."""
    body = to_bytes(value)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return _wrapped(body)
    try:
        parsed = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        return body if _is_strict(text) else json.dumps(parsed, indent=2, allow_nan=False).encode("ascii")
    except (ValueError, RecursionError):
        return json.dumps(text).encode("ascii")


def _no_constant(_name: str) -> None:
    """Read ``NaN`` and the infinities as ``null``: JSON has no other word for them."""


def _finite(text: str) -> float | None:
    """Read a number that is beyond all floats as ``null``, like the infinity that it would be."""
    number = float(text)
    return None if isinf(number) else number


def _is_strict(text: str) -> bool:
    # A cheap look is enough: the words stand in no JSON text except inside strings, where writing anew does no harm.
    return "NaN" not in text and "Infinity" not in text


def _wrapped(body: bytes) -> bytes:
    return json.dumps({"b64": b64encode(body).decode("ascii")}).encode("ascii")


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as reason:
        raise UnsupportedOutputError(f"an item holds text that has no UTF-8 form: {reason}") from reason


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _saved(tensor: Any) -> bytes:
    buffer = BytesIO()
    sys.modules["torch"].save(_alone(tensor), buffer)
    return buffer.getvalue()


def _alone(tensor: Any) -> Any:
    """Return the tensor where anybody can load it: out of a device's memory, and not as a window on a larger one.

    A row of a batch would be saved with the whole batch, which is large, and no business of who asked for the row.
    """
    torch = sys.modules["torch"]
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return tensor
    here = tensor if tensor.device.type == "cpu" else tensor.detach().cpu().requires_grad_(tensor.requires_grad)
    if here.untyped_storage().nbytes() <= here.numel() * here.element_size():
        return here
    return here.detach().clone().requires_grad_(tensor.requires_grad)
