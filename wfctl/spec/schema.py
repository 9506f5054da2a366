"""The published schemas, and what they say about a value; the only user of the JSON Schema library.

Loading the library takes longer than all the rest of a check, so it is asked only about what is not plain: values that
meet none of several alternatives, and keywords that ``soundness`` does not know.

Invariant: nothing is fetched; faults are told by path and keyword, places and words come from the floor above.
"""

import json
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from wfctl.errors import InternalError
from wfctl.spec.soundness import NotPlainError, Path, plain_faults

_PACKAGE = pathlib.Path(__file__).parent.parent
_FOLDERS = (_PACKAGE / "schemas", _PACKAGE.parent / "schemas")
"""In an installed wheel the schemas are data of the package, in a checkout they stand beside it."""

Schema = dict[str, Any]


def load_schema(name: str) -> Schema:
    """Return the published schema ``name``, such as ``workflow-spec``."""
    for folder in _FOLDERS:
        path = folder / f"{name}.json"
        if path.is_file():
            return cast("Schema", json.loads(path.read_text(encoding="utf-8")))
    raise InternalError(f'the schema "{name}" is not where wfctl is installed', hint="install wfctl again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One place where a value is not as its schema wants it."""

    path: Path
    keyword: str
    """The keyword that is not met, such as ``type``."""
    schema: Schema
    """The subschema that it stands in."""
    value: object


def faults(value: object, schema: Schema) -> Iterator[Fault]:
    """Compare ``value``, of plain JSON types, with ``schema``; in no particular order."""
    try:
        plain = plain_faults(value, schema)
    except NotPlainError:
        yield from _by_library(value, schema, ())
        return
    for path, keyword, where, what in plain:
        if keyword == "anyOf":
            yield from _by_library(what, {keyword: where[keyword]}, path)
        else:
            yield Fault(path=path, keyword=keyword, schema=where, value=what)


def _by_library(value: object, schema: Schema, path: Path) -> Iterator[Fault]:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_whole_number)
    validator: Any = extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]
    for error in validator(schema).iter_errors(value):
        for deepest in _deepest(error):
            place = (*path, *deepest.absolute_path)
            yield Fault(path=place, keyword=deepest.validator, schema=deepest.schema, value=deepest.instance)


def _is_whole_number(_checker: object, value: object) -> bool:
    """Tell a whole number; 2.0 and true are none, for the original refuses them."""
    return isinstance(value, int) and not isinstance(value, bool)


def _deepest(error: Any) -> list[Any]:
    """Return the errors of the alternative that was meant, or the error itself where none was come near to."""
    if not error.context:
        return [error]
    inner = [each for each in error.context if each.validator != "type" or each.path]
    nested = [each for each in inner if each.validator != "enum"]
    is_mapping = isinstance(error.instance, dict)
    return (nested if is_mapping else inner) or [error]
