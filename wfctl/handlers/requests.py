"""What a context is told of the requests at hand, seen from the side that knows them.

Invariant: types only. Who looks through the classes of a module of the original must not find ours among them, so
modules with a name of theirs import this one for type checkers alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Batch(Protocol):
    """The requests that the handler is called with, as far as its context tells of them."""

    def request_ids(self) -> Sequence[str]:
        """Return their ids."""

    def headers(self) -> Sequence[dict[str, Any]]:
        """Return the headers of each."""


class HasRequestIds(Protocol):
    """Who knows the batch at hand."""

    @property
    def request_ids(self) -> Mapping[int, str] | None:
        """Place in the batch -> id; ``None`` before the first batch."""
