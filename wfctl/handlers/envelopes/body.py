"""The envelope for handlers that want the bare values.

Invariant: the results are the handler's, untouched.
"""

from typing import Any

from wfctl.handlers.envelopes.base import BaseEnvelope, content_of


class BodyEnvelope(BaseEnvelope):
    """Hands over the value of ``data`` or ``body`` of each row."""

    def parse_input(self, data: Any) -> list[Any]:
        """Return one value per row."""
        return [content_of(row) for row in data]

    def format_output(self, data: Any) -> Any:
        """Return the results as they are."""
        return data
