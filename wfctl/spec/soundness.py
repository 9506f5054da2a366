"""Compares values with the plain part of JSON Schema, which is nearly all that the published schemas use.

Loading the library takes longer than all the rest of a check. It stays the judge of whatever is not plain; a test
holds that both say the same.

Invariant: never guesses; a keyword that is not known here raises ``NotPlainError``.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]
Path = tuple[str | int, ...]
PlainFault = tuple[Path, str, Schema, object]
"""Path of a value, the keyword that is not met, the subschema that it stands in, and the value."""


class NotPlainError(Exception):
    """The schema says more than is known here, and the value may depend on it."""


def plain_faults(value: object, schema: Schema, path: Path = ()) -> Iterator[PlainFault]:
    """Find where ``value``, of plain JSON types, is not as ``schema`` wants it."""
    if not isinstance(schema, dict):
        raise NotPlainError
    for keyword, wanted in schema.items():
        if keyword in _SAY_NOTHING or (keyword == "anyOf" and any(_meets(value, each) for each in wanted)):
            continue
        judge, parts = _JUDGES.get(keyword), _PARTS.get(keyword)
        if judge is None and parts is None:
            raise NotPlainError
        for _ in range(judge(wanted, value, schema) if judge else 0):
            yield path, keyword, schema, value
        for step, part, subschema in parts(wanted, value, schema) if parts else ():
            yield from plain_faults(part, subschema, (*path, *step))


def _meets(value: object, schema: Schema) -> bool:
    return next(plain_faults(value, schema), None) is None


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


# --- keywords that judge a value as a whole: how often it fails them ---------------------------------------------


def _type(wanted: Any, value: Any, _schema: Schema) -> bool:
    names = [wanted] if isinstance(wanted, str) else wanted
    if not _TYPES.keys() >= set(names):
        raise NotPlainError
    return not any(_TYPES[name](value) for name in names)


def _enum(wanted: Any, value: Any, _schema: Schema) -> bool:
    if not all(isinstance(each, str) for each in wanted):
        raise NotPlainError  # 1 == True in Python, and not in JSON
    return not isinstance(value, str) or value not in wanted


def _minimum(wanted: Any, value: Any, _schema: Schema) -> bool:
    return _is_number(value) and value < wanted


def _maximum(wanted: Any, value: Any, _schema: Schema) -> bool:
    return _is_number(value) and value > wanted


def _min_length(wanted: Any, value: Any, _schema: Schema) -> bool:
    return isinstance(value, str) and len(value) < wanted


def _pattern(wanted: Any, value: Any, _schema: Schema) -> bool:
    return isinstance(value, str) and re.search(wanted, value) is None


def _required(wanted: Any, value: Any, _schema: Schema) -> int:
    return sum(name not in value for name in wanted) if isinstance(value, dict) else 0


def _min_properties(wanted: Any, value: Any, _schema: Schema) -> bool:
    return isinstance(value, dict) and len(value) < wanted


def _closed(wanted: Any, value: Any, schema: Schema) -> bool:
    return wanted is False and isinstance(value, dict) and bool(value.keys() - schema.get("properties", {}).keys())


# --- keywords that judge the parts of a value ---------------------------------------------------------------------

Parts = Iterator[tuple[Path, object, Schema]]


def _properties(wanted: Any, value: Any, _schema: Schema) -> Parts:
    if isinstance(value, dict):
        yield from (((name,), each, wanted[name]) for name, each in value.items() if name in wanted)


def _others(wanted: Any, value: Any, schema: Schema) -> Parts:
    if isinstance(value, dict) and wanted is not False:
        known = schema.get("properties", {})
        yield from (((name,), each, wanted) for name, each in value.items() if name not in known)


def _names(wanted: Any, value: Any, _schema: Schema) -> Parts:
    if isinstance(value, dict):
        yield from (((), name, wanted) for name in value)


def _items(wanted: Any, value: Any, _schema: Schema) -> Parts:
    if isinstance(value, list):
        yield from (((index,), each, wanted) for index, each in enumerate(value))


_SAY_NOTHING = frozenset(("$schema", "$id", "title", "description", "default", "examples"))
_JUDGES: dict[str, Callable[[Any, Any, Schema], int]] = {
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
_PARTS: dict[str, Callable[[Any, Any, Schema], Parts]] = {
    "properties": _properties,
    "additionalProperties": _others,
    "propertyNames": _names,
    "items": _items,
}
