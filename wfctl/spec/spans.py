"""Places on demand.

Invariant: holds offsets only; lines and columns are counted when a place is asked for.
"""

from collections.abc import Iterator, Mapping

from wfctl.diagnostics.model import SourceText, Span
from wfctl.spec.nodes import Node


class Spans(Mapping[str, Span]):
    """Keys of one mapping -> places of their values, worked out when asked for: few ever are."""

    __slots__ = ("_found", "_source")

    def __init__(self, source: SourceText, found: dict[str, Node]) -> None:
        self._source = source
        self._found = found

    def __getitem__(self, key: str) -> Span:
        node = self._found[key]
        return self._source.span(node.start, node.end)

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
