"""Compares values with the plain part of JSON Schema, which is nearly all that the published schemas use.

A test holds that the library says the same. Where a value meets none of several alternatives that is said, and not
which of them was meant.

Invariant: never guesses; a keyword that is not known here raises ``NotPlainError``.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

Schema = dict[str, Any]
Path = tuple[str | int, ...]
PlainFault = tuple[Path, str, Schema, object]
"""Path of a value, the keyword that is not met, the subschema that it stands in, and the value."""


class NotPlainError(Exception):
    """The schema says more than is known here, and the value may depend on it."""


def plain_faults(value: object, schema: Schema) -> list[PlainFault]:
    """Find where ``value``, of plain JSON types, is not as ``schema`` wants it."""
    return _Comparison().faults(value, schema)


Judge = Callable[[Any], int]
"""How often a value as a whole fails a keyword."""
Parts = Callable[[Any], Iterable[tuple[Path, object, Schema]]]
"""The parts of a value that a keyword speaks of, with their subschemas."""


class _Comparison:
    """One comparison; what a subschema wants is made out once, for thousands of values may be compared with it."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[list[tuple[str, Judge]], list[Parts]]] = {}

    def faults(self, value: object, schema: Schema) -> list[PlainFault]:
        """Compare a whole value."""
        found: list[PlainFault] = []
        self._compare(value, schema, (), found)
        return found

    def _compare(self, value: object, schema: Schema, path: Path, found: list[PlainFault]) -> None:
        judges, takers = self._read.get(id(schema)) or self._made_out(schema)
        for keyword, judge in judges:
            failures = judge(value)
            if failures:
                found += [(path, keyword, schema, value)] * failures
        for parts in takers:
            for step, part, subschema in parts(value):
                self._compare(part, subschema, (*path, *step), found)

    def _made_out(self, schema: Schema) -> tuple[list[tuple[str, Judge]], list[Parts]]:
        if not isinstance(schema, dict):
            raise NotPlainError
        words = {keyword: wanted for keyword, wanted in schema.items() if keyword not in _SAY_NOTHING}
        if not _JUDGES.keys() | _PARTS.keys() | {"anyOf"} >= words.keys():
            raise NotPlainError
        judges = [(word, _JUDGES[word](wanted, schema)) for word, wanted in words.items() if word in _JUDGES]
        if "anyOf" in words:
            judges.append(("anyOf", self._any_of(words["anyOf"])))
        made = judges, [_PARTS[word](wanted, schema) for word, wanted in words.items() if word in _PARTS]
        self._read[id(schema)] = made
        return made

    def _any_of(self, schemas: list[Schema]) -> Judge:
        # One fault of the whole: which of the alternatives was meant is not plain.
        return lambda value: all(self.faults(value, schema) for schema in schemas)


def _is_whole_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": _is_whole_number,
    "number": _is_number,
}


# --- keywords that judge a value as a whole ----------------------------------------------------------------------


def _type(wanted: Any, _schema: Schema) -> Judge:
    names = [wanted] if isinstance(wanted, str) else wanted
    if not _TYPES.keys() >= set(names):
        raise NotPlainError
    first, *others = [_TYPES[name] for name in names]
    return lambda value: not (first(value) or any(other(value) for other in others))


def _enum(wanted: Any, _schema: Schema) -> Judge:
    if not all(isinstance(each, str) for each in wanted):
        raise NotPlainError  # 1 == True in Python, and not in JSON
    return lambda value: not isinstance(value, str) or value not in wanted


def _minimum(wanted: Any, _schema: Schema) -> Judge:
    return lambda value: _is_number(value) and value < wanted


def _maximum(wanted: Any, _schema: Schema) -> Judge:
    return lambda value: _is_number(value) and value > wanted


def _min_length(wanted: Any, _schema: Schema) -> Judge:
    return lambda value: isinstance(value, str) and len(value) < wanted


def _pattern(wanted: Any, _schema: Schema) -> Judge:
    return lambda value: isinstance(value, str) and re.search(wanted, value) is None


def _required(wanted: Any, _schema: Schema) -> Judge:
    return lambda value: sum(name not in value for name in wanted) if isinstance(value, dict) else 0


def _min_properties(wanted: Any, _schema: Schema) -> Judge:
    return lambda value: isinstance(value, dict) and len(value) < wanted


def _closed(wanted: Any, schema: Schema) -> Judge:
    known = schema.get("properties", {}).keys()
    return lambda value: wanted is False and isinstance(value, dict) and not known >= value.keys()


# --- keywords that judge the parts of a value ---------------------------------------------------------------------


def _properties(wanted: Any, _schema: Schema) -> Parts:
    def parts(value: object) -> Iterable[tuple[Path, object, Schema]]:
        if isinstance(value, dict):
            yield from (((name,), each, wanted[name]) for name, each in value.items() if name in wanted)

    return parts


def _others(wanted: Any, schema: Schema) -> Parts:
    known = schema.get("properties", {})

    def parts(value: object) -> Iterable[tuple[Path, object, Schema]]:
        if isinstance(value, dict) and wanted is not False:
            yield from (((name,), each, wanted) for name, each in value.items() if name not in known)

    return parts


def _names(wanted: Any, _schema: Schema) -> Parts:
    def parts(value: object) -> Iterable[tuple[Path, object, Schema]]:
        if isinstance(value, dict):
            yield from (((), name, wanted) for name in value)

    return parts


def _items(wanted: Any, _schema: Schema) -> Parts:
    def parts(value: object) -> Iterable[tuple[Path, object, Schema]]:
        if isinstance(value, list):
            yield from (((index,), each, wanted) for index, each in enumerate(value))

    return parts


_SAY_NOTHING = frozenset(("$schema", "$id", "title", "description", "default", "examples"))
_JUDGES: dict[str, Callable[[Any, Schema], Judge]] = {
    "type": _type,
    "enum": _enum,
    "minimum": _minimum,
    "maximum": _maximum,
    "minLength": _min_length,
    "pattern": _pattern,
    "required": _required,
    "minProperties": _min_properties,
    "additionalProperties": _closed,
}
_PARTS: dict[str, Callable[[Any, Schema], Parts]] = {
    "properties": _properties,
    "additionalProperties": _others,
    "propertyNames": _names,
    "items": _items,
}
