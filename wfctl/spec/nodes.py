"""The marked tree: what the YAML text says, and from which character to which.

Invariant: values only. Mappings hold each key once and no merge keys; a node that an alias names stands in the
tree more than once, and no way through the tree is longer than the depth budget.
"""

from wfctl.spec.scalars import Kind


class Scalar:
    """One word or text."""

    __slots__ = ("end", "is_plain", "kind", "start", "text")

    def __init__(self, start: int, end: int, text: str, kind: Kind, is_plain: bool) -> None:
        self.start = start
        self.end = end
        self.text = text
        self.kind = kind
        self.is_plain = is_plain
        """Written without quotes and not as a block."""


class Sequence:
    """One list."""

    __slots__ = ("end", "items", "start")

    def __init__(self, start: int, end: int, items: "list[Node]") -> None:
        self.start = start
        self.end = end
        self.items = items


class Mapping:
    """One mapping; ``keys`` and ``values`` run side by side."""

    __slots__ = ("end", "keys", "start", "values")

    def __init__(self, start: int, end: int, keys: list[Scalar], values: "list[Node]") -> None:
        self.start = start
        self.end = end
        self.keys = keys
        self.values = values

    def pairs(self) -> "zip[tuple[Scalar, Node]]":
        """Return the keys with their values, in the order of the text."""
        return zip(self.keys, self.values, strict=True)


Node = Scalar | Sequence | Mapping


def find_pair(mapping: Mapping, name: str) -> "tuple[Scalar, Node] | None":
    """Return the key ``name`` with its value, if ``mapping`` has it."""
    return next((pair for pair in mapping.pairs() if pair[0].text == name), None)
