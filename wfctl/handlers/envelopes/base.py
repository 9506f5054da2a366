"""What all envelopes have in common.

Invariant: an empty batch and an empty result go through untouched, so that a handler's initialising call does too.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from wfctl.handlers.prediction_exception import PredictionException

_BAD_REQUEST = 400


class BaseEnvelope(ABC):
    """Stands between the caller and a handler's entry point."""

    def __init__(self, handle_fn: Callable[[Any, Any], Any]) -> None:
        self._handle_fn = handle_fn
        self.context: Any = None

    def handle(self, data: Any, context: Any) -> Any:
        """Answer one batch."""
        self.context = context
        results = self._handle_fn(self.parse_input(data) if data else data, context)
        return self.format_output(results) if results else results

    @abstractmethod
    def parse_input(self, data: Any) -> Any:
        """Return what the handler gets for the rows of a batch."""

    @abstractmethod
    def format_output(self, data: Any) -> Any:
        """Return the answers for what the handler returned."""


def content_of(row: Any) -> Any:
    """Return what a row carries as ``data`` or ``body``; ``None`` if neither says anything."""
    return row.get("data") or row.get("body")


def refused(what: str) -> PredictionException:
    """Return the exception for a request that is not as the envelope's protocol wants it."""
    return PredictionException(what, _BAD_REQUEST)
