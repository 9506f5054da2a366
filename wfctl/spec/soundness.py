"""Tells quickly that a value meets its schema, so that the JSON Schema library is loaded for faulty specs only.

Loading the library takes longer than all the rest of a check. It stays the judge of everything that is not plainly
sound, and the only one that names faults.

Invariant: says yes only where the library would; a keyword that is not known here is a no.
"""

import re
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]


def plainly_meets(value: object, schema: Schema | bool) -> bool:
    """Whether ``value``, of plain JSON types, surely is as ``schema`` wants it."""
    if isinstance(schema, bool):
        return schema
    return all(
        name in _SAY_NOTHING or (name in _KEYWORDS and _KEYWORDS[name](wanted, value, schema))
        for name, wanted in schema.items()
    )


def _type(wanted: Any, value: Any, _schema: Schema) -> bool:
    return any(_TYPES[name](value) for name in ([wanted] if isinstance(wanted, str) else wanted) if name in _TYPES)


def _enum(wanted: Any, value: Any, _schema: Schema) -> bool:
    # 1 == True in Python and not in JSON: only texts are plain.
    return isinstance(value, str) and value in wanted


def _minimum(wanted: Any, value: Any, _schema: Schema) -> bool:
    return not _is_number(value) or value >= wanted


def _maximum(wanted: Any, value: Any, _schema: Schema) -> bool:
    return not _is_number(value) or value <= wanted


def _min_length(wanted: Any, value: Any, _schema: Schema) -> bool:
    return not isinstance(value, str) or len(value) >= wanted


def _pattern(wanted: Any, value: Any, _schema: Schema) -> bool:
    return not isinstance(value, str) or re.search(wanted, value) is not None


def _required(wanted: Any, value: Any, _schema: Schema) -> bool:
    return not isinstance(value, dict) or all(name in value for name in wanted)


def _min_properties(wanted: Any, value: Any, _schema: Schema) -> bool:
    return not isinstance(value, dict) or len(value) >= wanted


def _properties(wanted: Any, value: Any, _schema: Schema) -> bool:
    return not isinstance(value, dict) or all(
        plainly_meets(each, wanted[name]) for name, each in value.items() if name in wanted
    )


def _additional_properties(wanted: Any, value: Any, schema: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    return all(plainly_meets(each, wanted) for name, each in value.items() if name not in known)


def _property_names(wanted: Any, value: Any, _schema: Schema) -> bool:
    return not isinstance(value, dict) or all(plainly_meets(name, wanted) for name in value)


def _items(wanted: Any, value: Any, _schema: Schema) -> bool:
    return not isinstance(value, list) or all(plainly_meets(each, wanted) for each in value)


def _any_of(wanted: Any, value: Any, _schema: Schema) -> bool:
    return any(plainly_meets(value, each) for each in wanted)


def _is_whole_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SAY_NOTHING = frozenset(("$schema", "$id", "title", "description", "default", "examples"))
_TYPES: dict[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": _is_whole_number,
    "number": _is_number,
}
_KEYWORDS: dict[str, Callable[[Any, Any, Schema], bool]] = {
    "type": _type,
    "enum": _enum,
    "minimum": _minimum,
    "maximum": _maximum,
    "minLength": _min_length,
    "pattern": _pattern,
    "required": _required,
    "minProperties": _min_properties,
    "properties": _properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "items": _items,
    "anyOf": _any_of,
}
