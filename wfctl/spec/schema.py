"""The published schemas, and what they say about a value; the only user of the JSON Schema library.

The library visits every keyword of every entry anew, which is slow for thousands of alike entries; what it said of
one word under one subschema it says of the same word again, so that is remembered for the length of one check.

Invariant: nothing is fetched; faults are told by path and keyword, places and words come from the floor above.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

_PACKAGE = Path(__file__).parent.parent
_FOLDERS = (_PACKAGE / "schemas", _PACKAGE.parent / "schemas")
"""In an installed wheel the schemas are data of the package, in a checkout they stand beside it."""

Schema = dict[str, Any]


def load_schema(name: str) -> Schema:
    """Return the published schema ``name``, such as ``workflow-spec``."""
    path = next(path for folder in _FOLDERS if (path := folder / f"{name}.json").is_file())
    return cast("Schema", json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One place where a value is not as its schema wants it."""

    path: tuple[str | int, ...]
    keyword: str
    """The keyword that is not met, such as ``type``."""
    schema: Schema
    """The subschema that it stands in."""
    value: object


def faults(value: object, schema: Schema) -> Iterator[Fault]:
    """Compare ``value``, of plain JSON types, with ``schema``; in no particular order."""
    for error in _validator(schema).iter_errors(value):
        for deepest in _deepest(error):
            path = tuple(deepest.absolute_path)
            yield Fault(path=path, keyword=deepest.validator, schema=deepest.schema, value=deepest.instance)


def _deepest(error: Any) -> list[Any]:
    """Return the errors of the alternative that was meant, or the error itself where none was come near to."""
    if not error.context:
        return [error]
    inner = [each for each in error.context if each.validator != "type" or each.path]
    nested = [each for each in inner if each.validator != "enum"]
    is_mapping = isinstance(error.instance, dict)
    return (nested if is_mapping else inner) or [error]


def _validator(schema: Schema) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    sound: set[tuple[int, type, object]] = set()
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_whole_number)
    closed = Draft202012Validator.VALIDATORS["additionalProperties"]
    keywords = {
        "properties": _remembering(sound, _of_properties),
        "additionalProperties": _remembering(sound, _of_others, where_false=closed),
        "items": _remembering(sound, _of_items),
    }
    validator: Any = extend(Draft202012Validator, keywords, type_checker=types)  # type: ignore[no-untyped-call]
    return validator(schema)


def _is_whole_number(_checker: object, value: object) -> bool:
    """Tell a whole number; 2.0 and true are none, for the original refuses them."""
    return isinstance(value, int) and not isinstance(value, bool)


Visits = Iterator[tuple[str | int, object, Schema]]
Keyword = Callable[[Any, Any, Any, Any], Iterator[Any]]


def _remembering(
    sound: set[tuple[int, type, object]],
    visits: Callable[[Schema, Any, Schema], Visits],
    where_false: Keyword | None = None,
) -> Keyword:
    """Make a keyword that applies subschemas to parts of a value, to each distinct word once."""

    def keyword(validator: Any, wanted: Any, value: Any, schema: Schema) -> Iterator[Any]:
        if wanted is False and where_false is not None:
            yield from where_false(validator, wanted, value, schema)
            return
        for name, each, subschema in visits(wanted, value, schema):
            word = (id(subschema), type(each), each) if isinstance(each, str | int | float) else None
            if word is not None and word in sound:
                continue
            errors = list(validator.descend(each, subschema, path=name))
            if word is not None and not errors:
                sound.add(word)
            yield from errors

    return keyword


def _of_properties(properties: Schema, value: Any, _schema: Schema) -> Visits:
    if isinstance(value, dict):
        for name, each in value.items():
            if name in properties:
                yield name, each, properties[name]


def _of_others(others: Schema, value: Any, schema: Schema) -> Visits:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name, each in value.items():
            if name not in known:
                yield name, each, others


def _of_items(items: Schema, value: Any, _schema: Schema) -> Visits:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield index, each, items
