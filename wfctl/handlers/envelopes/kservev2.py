"""The envelope for the second protocol of KServe (the open inference protocol).

Invariant: one request at a time; what must last from its input to its output hangs on the context, as handlers of
the original may look for it there. numpy is imported only when a batch is answered.
"""

from typing import Any, Final

from wfctl.handlers.envelopes.base import BaseEnvelope, content_of, refused
from wfctl.handlers.envelopes.kserve import parsed

_TEXT: Final = "BYTES"
_DATATYPES: Final = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "object": _TEXT,
}
"""Name of a numpy type -> name in the protocol."""


class KServev2Envelope(BaseEnvelope):
    """Hands over the inputs of one request, and answers with one output for each."""

    def parse_input(self, data: Any) -> list[dict[str, Any]]:
        """Return the inputs of the first row, the data of each in the shape that it says."""
        request = parsed(content_of(data[0]))
        inputs = request.get("inputs")
        if not isinstance(inputs, list):
            raise refused('the request has no list "inputs"')
        for each in inputs:
            each["data"] = _shaped(each)
        self.context.input_names = [each["name"] for each in inputs]
        if (request.get("id") or "").strip():
            self.context.input_request_id = request["id"]
        return inputs

    def format_output(self, data: Any) -> list[dict[str, Any]]:
        """Return the one answer."""
        kept = vars(self.context)
        names = kept.pop("input_names")
        model = (self.context.manifest or {}).get("model") or {}
        return [
            {
                "id": kept.pop("input_request_id", None) or self.context.get_request_id(0),
                "model_name": model.get("modelName"),
                "model_version": model.get("modelVersion"),
                "outputs": [_output(item, _name_of(at, names)) for at, item in enumerate(data)],
            }
        ]


def _name_of(at: int, names: list[str]) -> str:
    return names[at] if at < len(names) else f"output-{at}"


def _shaped(given: dict[str, Any]) -> Any:
    missing = [key for key in ("name", "datatype", "data") if key not in given]
    if missing:
        raise refused(f'an input of the request has no "{missing[0]}"')
    if given["datatype"] == _TEXT:
        return given["data"][0]
    import numpy as np

    try:
        return np.array(given["data"]).reshape(tuple(given["shape"])).tolist()
    except (KeyError, TypeError, ValueError) as reason:
        raise refused(f'the data of input "{given["name"]}" does not have the shape that it says') from reason


def _output(item: Any, name: str) -> dict[str, Any]:
    import numpy as np

    flat = np.array(item).flatten()
    return {"name": name, "datatype": _datatype(flat.dtype), "data": flat.tolist(), "shape": list(flat.shape)}


def _datatype(dtype: Any) -> str:
    name = str(dtype)
    return _TEXT if dtype.kind == "U" else _DATATYPES[name]
