"""What a place takes, what it holds, and how the one becomes the other: words, suggestions and safe edits.

Invariant: an edit is offered only where what was meant is beyond doubt; else there is a help text, or nothing.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import SequenceMatcher

from wfctl.diagnostics.model import Edit, SourceText
from wfctl.spec.compose import shortened
from wfctl.spec.model import SETTING_FIELDS
from wfctl.spec.nodes import Node, Scalar, Sequence
from wfctl.spec.scalars import Kind
from wfctl.spec.schema import Schema

_TYPES = {
    "integer": "a whole number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


def wanted(schema: Schema) -> str:
    """Say what a subschema takes."""
    types = schema.get("type")
    first = types if isinstance(types, str) else types[0] if types else ""
    text = _TYPES.get(first, "another value")
    if "enum" in schema:
        return "one of " + ", ".join(f'"{value}"' for value in schema["enum"])
    if first != "integer":
        return text
    return f"{text} of at least {schema['minimum']}" if "minimum" in schema else text


_GIVEN = {
    Kind.TEXT: 'the text "{}"',
    Kind.INTEGER: "the number {}",
    Kind.FLOAT: "the decimal number {}",
    Kind.BOOLEAN: 'the boolean "{}"',
    Kind.NULL: "nothing",
    Kind.TIMESTAMP: "the date {}",
    Kind.MERGE: "a merge key",
}


def given(node: Node) -> str:
    """Say what stands in the text."""
    if isinstance(node, Scalar):
        return _GIVEN[node.kind].format(shortened(node.text))
    return "a list" if isinstance(node, Sequence) else "a mapping"


@dataclass(frozen=True, slots=True)
class Close:
    """A name that may have been meant."""

    name: str
    is_sure: bool


_LIKELY, _SURE = 0.6, 0.8
_LONGEST = 64
"""No key is near a longer name, and comparing is slow."""


def suggestion(written: str, names: Collection[str]) -> Close | None:
    """Return the name most like ``written``, if one is like it."""
    if len(written) > _LONGEST:
        return None
    plain = written.strip().lower().replace("_", "-")
    matcher = SequenceMatcher(b=plain, autojunk=False)
    best: tuple[float, str] | None = None
    for name in names:
        matcher.set_seq1(name)
        if matcher.quick_ratio() >= _LIKELY and (best is None or matcher.ratio() > best[0]):
            best = (matcher.ratio(), name)
    if best is None or best[0] < _LIKELY:
        return None
    return Close(best[1], best[0] >= _SURE)


def misspelt_setting(key: Scalar, value: Node) -> Close | None:
    """Return the global setting that an entry of ``models`` was meant to be, if it was meant to be one."""
    is_word = isinstance(value, Scalar) and value.kind is not Kind.NULL
    return suggestion(key.text, SETTING_FIELDS) if is_word and key.text not in SETTING_FIELDS else None


Mend = tuple[str | None, tuple[Edit, ...]]
_NOTHING: Mend = (None, ())


def mend_type(source: SourceText, node: Node, schema: Schema) -> Mend:
    """Return how a value of the wrong type becomes one of the right type."""
    types = schema.get("type", ())
    wanted_type = types if isinstance(types, str) else next(iter(types), "")
    if isinstance(node, Sequence) and wanted_type == "object":
        return 'write "name: ..." lines, without the dashes', ()
    if not isinstance(node, Scalar):
        return _NOTHING
    if node.kind is Kind.NULL:
        return _mend_nothing(source, node, wanted_type)
    mend = _MENDS.get(wanted_type)
    return mend(source, node) if mend else _NOTHING


def _replace(source: SourceText, node: Scalar, replacement: str) -> tuple[Edit, ...]:
    return (Edit(span=source.span(node.start, node.end), replacement=replacement),)


def is_verbatim(source: SourceText, node: Scalar) -> bool:
    """Whether the scalar stands in the text exactly as it is read: no quotes, escapes, tags or anchors."""
    return node.is_plain and source.text[node.start : node.end] == node.text


def quoted(source: SourceText, node: Scalar) -> tuple[Edit, ...]:
    """Return the edit that puts quotes around a plain word, so that it is a text."""
    if not node.text or not is_verbatim(source, node):
        return ()
    return _replace(source, node, f'"{node.text}"')


def _mend_nothing(source: SourceText, node: Scalar, wanted_type: str) -> Mend:
    if wanted_type != "array":
        return "write a value, or delete the key", ()
    is_empty = node.start == node.end and source.text[node.start - 1 : node.start] == ":"
    return 'write "[]" where nothing follows', _replace(source, node, " []") if is_empty else ()


def _mend_number(source: SourceText, node: Scalar) -> Mend:
    written = source.text[node.start : node.end]
    if re.fullmatch(r"""(["'])(0|[1-9]\d{0,9})\1""", written, re.ASCII):
        return "delete the quotes", _replace(source, node, written[1:-1])
    return "write it in decimal digits", ()


def _mend_text(source: SourceText, node: Scalar) -> Mend:
    return "put it in quotes", quoted(source, node)


def _mend_list(source: SourceText, node: Scalar) -> Mend:
    text = shortened(node.text)
    is_name = node.kind is Kind.TEXT and is_verbatim(source, node) and re.fullmatch(r"[\w.-]+", node.text)
    return f'write "[{text}]"', _replace(source, node, f"[{node.text}]") if is_name else ()


def _mend_mapping(source: SourceText, node: Scalar) -> Mend:
    pair = re.fullmatch(r"(url|sha256|[a-z]+-[a-z]+(?:-[a-z]+)?):(\S+)", node.text)
    if pair is not None and is_verbatim(source, node):
        return "a space is missing after the colon", _replace(source, node, f"{pair[1]}: {pair[2]}")
    if node.text.endswith(".mar"):
        is_path = is_verbatim(source, node) and re.fullmatch(r"[\w./-]+", node.text)
        help_text = f'write "{{url: {shortened(node.text)}}}"'
        return help_text, _replace(source, node, f"{{url: {node.text}}}") if is_path else ()
    return 'write "key: value" lines below it, indented', ()


_MENDS: dict[str, Callable[[SourceText, Scalar], Mend]] = {
    "integer": _mend_number,
    "string": _mend_text,
    "array": _mend_list,
    "object": _mend_mapping,
}
