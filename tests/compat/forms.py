"""How a fixture's requests and answers are written down; the same words for our host and for the real TorchServe.

Imported by programs that run without wfctl, so it imports the standard library only (torch to read a tensor).
"""

import base64
import io
import json
import math
from typing import Any

STREAM_HEADER = "ts_stream_next"


def parts_of(request: Any) -> list[tuple[str, bytes, str]]:
    """Return name, bytes and content type of each part of a request."""
    parts = request["parts"] if isinstance(request, dict) and "parts" in request else {"body": request}
    return [(name, *_content(value)) for name, value in parts.items()]


def headers_of(request: Any) -> dict[str, str]:
    return request.get("headers", {}) if isinstance(request, dict) and "parts" in request else {}


def _content(value: Any) -> tuple[bytes, str]:
    if isinstance(value, str):
        return value.encode(), "text/plain"
    if "b64" in value:
        return base64.b64decode(value["b64"]), value.get("type", "application/octet-stream")
    if "text" in value:
        return value["text"].encode(), value.get("type", "text/plain")
    return json.dumps(value["json"]).encode(), value.get("type", "application/json")


def success(status: int, body: bytes, content_type: str | None, headers: dict[str, str]) -> dict[str, Any]:
    """Write one answer down."""
    told = {key: value for key, value in headers.items() if key != STREAM_HEADER}
    shown: dict[str, Any] = {"status": status}
    if content_type:
        shown["content_type"] = content_type
    if told:
        shown["headers"] = told
    return shown | _shown_body(body)


def failure(status: int, message: str) -> dict[str, Any]:
    return {"status": status, "error": message}


def _shown_body(body: bytes) -> dict[str, Any]:
    if body.startswith(b"PK\x03\x04"):
        import torch

        tensor = torch.load(io.BytesIO(body), weights_only=True)
        told = {"dtype": str(tensor.dtype), "shape": list(tensor.shape), "requires_grad": tensor.requires_grad}
        return {"tensor": told | {"values": tensor.detach().float().tolist()}}
    try:
        return {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(body).decode("ascii")}


def is_same(one: Any, other: Any) -> bool:
    """Compare two answers; floats may differ in what another processor's library makes of the last digits."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-6) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, str) and isinstance(other, str) and one != other:
        return _is_same_json(one, other)
    return bool(one == other)


def _is_same_json(one: str, other: str) -> bool:
    """Compare texts that differ: only numbers inside JSON may, so all else must be equal to the letter."""
    try:
        values = json.loads(one), json.loads(other)
    except ValueError:
        return False
    return one.count("\n") == other.count("\n") and is_same(*values)
