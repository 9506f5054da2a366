"""What a caller may hand to a workflow, as the parts the entry node gets.

Invariant: no files and no processes; a value becomes bytes with a content type, and nothing else happens.
"""

import json
import mimetypes
from collections.abc import Mapping
from typing import Any

from wfctl.engine.call import Part
from wfctl.errors import WfctlError

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain"
BYTES_TYPE = "application/octet-stream"


class InputError(WfctlError):
    """A value that no request can carry."""

    code = "bad-input"


def encode(value: Any) -> tuple[bytes, str]:
    """Return the bytes of ``value`` and their content type.

    Bytes stay as they are, text becomes UTF-8, anything else JSON. Raises ``InputError`` for what JSON cannot say.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), BYTES_TYPE
    if isinstance(value, str):
        return value.encode(), TEXT_TYPE
    try:
        return json.dumps(value, allow_nan=False).encode(), JSON_TYPE
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"an input of type {type(value).__name__} cannot be sent to a workflow: {error}",
            hint="pass bytes, text, or a value that json.dumps takes",
        ) from error


def body_part(value: Any, content_type: str | None = None) -> tuple[Part, ...]:
    """Return the one part of a request with a plain body."""
    body, natural = encode(value)
    return (Part("body", body, natural if content_type is None else content_type),)


def form_parts(fields: Mapping[str, Any]) -> tuple[Part, ...]:
    """Return one part for each form field.

    A text field has no content type, so handlers get its bytes as they do from an HTML form; a JSON value has one.
    """
    return tuple(_form_part(name, value) for name, value in fields.items())


def _form_part(name: str, value: Any) -> Part:
    body, content_type = encode(value)
    return Part(name, body, content_type if content_type == JSON_TYPE else "")


def guess(name: str) -> str:
    """Return the content type that a file's name tells."""
    return mimetypes.guess_type(name)[0] or BYTES_TYPE


def sniff(body: bytes) -> str:
    """Return the content type of bytes without a name: JSON if they are JSON, else text if UTF-8, else bytes."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return BYTES_TYPE
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return TEXT_TYPE
    return JSON_TYPE
