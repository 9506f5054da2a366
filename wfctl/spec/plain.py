"""Marked tree to plain Python values.

Invariant: recursion is safe here, for a tree is never deeper than the composer's budget.
"""

from wfctl.spec.nodes import Mapping, Node, Scalar, Sequence
from wfctl.spec.scalars import MAX_DIGITS, Kind, Plain, value_of

_ENDLESS = 10**MAX_DIGITS

Value = Plain | list["Value"] | dict[Plain, "Value"]


def plain_value(node: Node) -> Value:
    """Return what a plain YAML reader gives; ``ValueError`` for a number or date that is none."""
    if isinstance(node, Scalar):
        return value_of(node.kind, node.text)
    if isinstance(node, Sequence):
        return [plain_value(item) for item in node.items]
    return {value_of(key.kind, key.text): plain_value(value) for key, value in node.pairs()}


def json_value(node: Node) -> object:
    """Return what a schema checks: every key a text, and an object of no JSON type for what JSON cannot say."""
    if isinstance(node, Mapping):
        return {key.text: json_value(value) for key, value in node.pairs()}
    if isinstance(node, Sequence):
        return [json_value(item) for item in node.items]
    if node.kind is Kind.TIMESTAMP:
        return node
    try:
        return value_of(node.kind, node.text)
    except ValueError:
        # A number of hundreds of digits: too large for whatever it is meant for.
        return -_ENDLESS if node.text.startswith("-") else _ENDLESS
