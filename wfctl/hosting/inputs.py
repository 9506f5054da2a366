"""A call's parameters as the handler gets them: one dictionary per request, values decoded only at the entry.

Invariant: never raises for what a client sent; what cannot be decoded is handed over as raw bytes.
"""

import json
from typing import Any

from wfctl.engine.call import Call, Part


def row_of(call: Call) -> dict[str, Any]:
    """Return the row of one request; of parts with one name the last wins."""
    given = call.input
    if type(given) is bytearray:  # the usual case: the output of the only parent, in a worker
        return {"body": given}
    return {part.name: _value_of(part) for part in call.parts}


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
        except (ValueError, RecursionError):
            pass
    return part.body if type(part.body) is bytearray else bytearray(part.body)


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0].strip()
