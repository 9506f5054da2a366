"""The envelope for the first protocol of KServe.

Invariant: one request at a time; of a batch only the first is looked at, as in the original.
"""

import json
from typing import Any

from wfctl.handlers.envelopes.base import BaseEnvelope, content_of, refused


class KServeEnvelope(BaseEnvelope):
    """Hands over the instances of one request, and answers with its predictions or explanations."""

    def parse_input(self, data: Any) -> Any:
        """Return the instances of the first row."""
        return parsed(content_of(data[0])).get("instances")

    def format_output(self, data: Any) -> list[dict[str, Any]]:
        """Return the one answer."""
        return [{"explanations" if self._is_explain() else "predictions": data}]

    def _is_explain(self) -> bool:
        return bool(self.context and self.context.get_request_header(0, "explain") == "True")


def parsed(content: Any) -> dict[str, Any]:
    """Return the request as an object, also where it comes as bytes."""
    if isinstance(content, str | bytes | bytearray):
        try:
            content = json.loads(content)
        except ValueError as reason:
            raise refused("the request is not JSON") from reason
    if not isinstance(content, dict):
        raise refused("the request is no JSON object")
    return content
