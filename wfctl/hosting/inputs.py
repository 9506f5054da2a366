"""A call's parameters as the handler gets them: one dictionary per request, decoded by content type at the entry.

Invariant: what a client sent and cannot be decoded is handed over as raw bytes, or is the error of its call where it
must be JSON; and so is a value of another node that cannot be rebuilt.
"""

import json
from typing import Any

from wfctl.engine.call import Call, CallError, Part, Payload
from wfctl.hosting.failures import UNAVAILABLE
from wfctl.hosting.malformed import MalformedInputError
from wfctl.hosting.object_pickles import UnreadableValueError
from wfctl.hosting.objects import from_body
from wfctl.hosting.protocols import read_protocol
from wfctl.plan import NodePlan

_BAD_REQUEST = 400


def row_of(call: Call) -> dict[str, Any]:
    """Return the row of one request; of parts with one name the last wins. Raises ``MalformedInputError``."""
    given = call.input
    if type(given) is bytearray:  # the usual case: the output of the only parent, in a worker
        return {"body": given}
    if call.form and call.face and (of_protocol := read_protocol(call)) is not None:
        return of_protocol
    return {part.name: _value_of(part) for part in call.parts}


def json_fault(body: Payload) -> str | None:
    """Say why a body is no JSON; ``None`` if it is, also where it is nested beyond what is decoded."""
    try:
        json.loads(body.decode("utf-8"))
    except RecursionError:
        return None
    except ValueError as reason:
        return _fault_of(reason)
    return None


def row_or_refusal(call: Call) -> dict[str, Any] | CallError:
    """Return the row of one request, or why it is none."""
    try:
        return row_of(call)
    except MalformedInputError as reason:
        return CallError(str(reason), status=_BAD_REQUEST, is_final=True, is_of_input=True)


class ValueReader:
    """Reads rows of values that other nodes made."""

    def __init__(self, node: NodePlan) -> None:
        self._node = node

    def row_of(self, call: Call) -> "dict[str, Any] | CallError":
        """Return the row of one request, or why one of its values cannot be rebuilt here."""
        row: dict[str, Any] = {}
        for part in call.parts:
            try:
                row[part.name] = from_body(part.body, is_plain=self._node.has_plain_input)
            except UnreadableValueError as reason:
                return self._refusal(part, reason)
        return row

    def _refusal(self, part: Part, reason: UnreadableValueError) -> CallError:
        sender = part.name if part.name in self._node.parents else self._node.parents[0]
        text = f'node "{self._node.name}" cannot take what node "{sender}" sent: {reason}'
        return CallError("Unsupported model input data type.", status=UNAVAILABLE, traceback_text=text)


def headers_of(call: Call) -> dict[str, Any]:
    """Return the headers of one request, and the type of each parameter under the parameter's name.

    A header of that very name hides the type, as in the original.
    """
    types = {part.name: {"content-type": _bare(part.content_type) if part.content_type else ""} for part in call.parts}
    return {**types, **call.headers.mapping}


def _value_of(part: Part) -> Any:
    if part.content_type:
        bare = _bare(part.content_type)
        # RecursionError: JSON nested deeper than the parser goes is bytes to us, and the handler's to refuse.
        try:
            if bare == "application/json":
                return json.loads(part.body.decode("utf-8"))
            if bare.startswith("text"):
                return part.body.decode("utf-8")
        except RecursionError:
            pass
        except ValueError as reason:
            if part.must_be_json:
                raise MalformedInputError(_fault_of(reason)) from reason
    return part.body if type(part.body) is bytearray else bytearray(part.body)


def _fault_of(error: ValueError) -> str:
    return f"byte {error.start + 1} is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0].strip()
