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

from wfctl.spec.soundness import NotPlainError, plain_faults

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
    try:
        plain = list(plain_faults(value, schema))
    except NotPlainError:
        yield from _faults_by_library(value, schema)
    else:
        yield from (Fault(path=path, keyword=word, schema=where, value=what) for path, word, where, what in plain)


def _faults_by_library(value: object, schema: Schema) -> Iterator[Fault]:
    for error in _Checker().validator(schema).iter_errors(value):
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


def _is_whole_number(_checker: object, value: object) -> bool:
    """Tell a whole number; 2.0 and true are none, for the original refuses them."""
    return isinstance(value, int) and not isinstance(value, bool)


Parts = Iterator[tuple[str | int, object, Schema]]

_SAY_NOTHING = frozenset(("$schema", "$id", "title", "description", "default", "examples"))


class _Checker:
    """Asks the library only about what is not known to be sound.

    The parts of a value are gone through here; a part without a fault costs no visit of the library's, which makes a
    validator for each. What it says of one word it says of the same word at another place.
    """

    def __init__(self) -> None:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import extend

        self._keywords: dict[str, Any] = dict(Draft202012Validator.VALIDATORS)
        self._closed = self._keywords["additionalProperties"]
        self._parts: dict[str, Callable[[Any, Any, Schema], Parts]] = {
            "properties": _of_properties,
            "additionalProperties": _of_others,
            "items": _of_items,
        }
        types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_whole_number)
        keywords = {name: self._keyword(parts) for name, parts in self._parts.items()}
        self.validator: Any = extend(Draft202012Validator, keywords, type_checker=types)  # type: ignore[no-untyped-call]
        self._any = self.validator({})
        self._sound: set[tuple[int, type, object]] = set()

    def _keyword(self, parts: Callable[[Any, Any, Schema], Parts]) -> Callable[..., Iterator[Any]]:
        def keyword(validator: Any, wanted: Any, value: Any, schema: Schema) -> Iterator[Any]:
            if wanted is False:
                yield from self._closed(validator, wanted, value, schema)
                return
            for name, each, subschema in parts(wanted, value, schema):
                if not self._is_sound(each, subschema):
                    yield from validator.descend(each, subschema, path=name)

        return keyword

    def _is_sound(self, value: object, schema: Schema) -> bool:
        if not isinstance(value, str | int | float):
            return self._meets(value, schema)
        word = (id(schema), type(value), _what_counts(value, schema))
        if word in self._sound:
            return True
        is_sound = self._meets(value, schema)
        if is_sound:
            self._sound.add(word)
        return is_sound

    def _meets(self, value: object, schema: Schema) -> bool:
        for name, wanted in schema.items():
            parts = self._parts.get(name)
            if parts is not None and wanted is not False:
                if not all(self._is_sound(each, subschema) for _, each, subschema in parts(wanted, value, schema)):
                    return False
            elif name not in _SAY_NOTHING:
                for _ in self._keywords[name](self._any, wanted, value, schema) or ():
                    return False
        return True


def _what_counts(value: str | float, schema: Schema) -> object:
    """Return what of a word decides whether it is sound: for most texts it is not what they say."""
    deciding = schema.keys() - _SAY_NOTHING
    if deciding == {"type"}:
        return None
    if deciding == {"type", "minLength"} and isinstance(value, str):
        return len(value)
    return value


def _of_properties(properties: Schema, value: Any, _schema: Schema) -> Parts:
    if isinstance(value, dict):
        for name, each in value.items():
            if name in properties:
                yield name, each, properties[name]


def _of_others(others: Schema, value: Any, schema: Schema) -> Parts:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name, each in value.items():
            if name not in known:
                yield name, each, others


def _of_items(items: Schema, value: Any, _schema: Schema) -> Parts:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield index, each, items
