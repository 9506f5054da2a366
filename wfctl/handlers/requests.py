"""What a context is told of the requests at hand, seen from the side that knows them.

Invariant: types only. Who looks through the classes of a module of the original must not find ours among them, so
modules with a name of theirs import this one for type checkers alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class BatchReader(Protocol):
    """Says of a batch what its context is asked for."""

    def request_ids(self, batch: Any) -> Sequence[str]:
        """Return the id of each request."""

    def headers(self, batch: Any) -> Sequence[dict[str, Any]]:
        """Return the headers of each request."""


class HasRequestIds(Protocol):
    """Who knows the batch at hand."""

    @property
    def request_ids(self) -> Mapping[int, str] | None:
        """Place in the batch -> id; ``None`` before the first batch."""
