"""The plain part of JSON Schema: what is found here is what the library finds."""

import sys
from subprocess import run
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from wfctl.spec.schema import load_schema
from wfctl.spec.soundness import NotPlainError, plain_faults

SCHEMA = load_schema("workflow-spec")
WHOLE = Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
)
LIBRARY: Any = extend(Draft202012Validator, type_checker=WHOLE)

SETTINGS = ("min-workers", "max-workers", "batch-size", "max-batch-delay", "retry-attempts", "timeout-ms")
WORDS = (*SETTINGS, "url", "sha256", "models", "dag", "wfctl", "functions", "batching", "entries", "payload", "m1", "x")
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 10**7),
    st.floats(allow_nan=False),
    st.sampled_from(["", "m1.mar", "adaptive", "fixed", "many", "bytes", "object", "a" * 64]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
settings = st.dictionaries(st.sampled_from(SETTINGS), st.integers(-1, 100) | scalars, max_size=3)
models = st.dictionaries(st.sampled_from(["m1", "m2", *SETTINGS]), settings | st.integers(0, 9) | values, max_size=4)
dags = st.dictionaries(st.sampled_from(["m1", "pre"]), st.lists(st.sampled_from(["m1", "post", None, 3]), max_size=3))
specs = st.fixed_dictionaries({"dag": dags | values}, optional={"models": models, "wfctl": values, "x": scalars})


def by_library(value: object) -> list[Any]:
    found = [
        (tuple(error.absolute_path), error.validator, error.schema, error.instance)
        for error in LIBRARY(SCHEMA).iter_errors(value)
    ]
    return sorted(found, key=repr)


@given(specs | values)
def test_both_find_the_same_faults(value: object) -> None:
    assert sorted(plain_faults(value, SCHEMA), key=repr) == by_library(value)


@pytest.mark.parametrize(
    "schema", [{"const": 1}, {"$ref": "#"}, {"not": {}}, {"type": "unheard-of"}, {"enum": [1]}, False]
)
def test_what_is_not_known_is_not_guessed(schema: Any) -> None:
    with pytest.raises(NotPlainError):
        list(plain_faults(1, schema))


def test_neither_a_sound_nor_a_plainly_faulty_spec_loads_the_library() -> None:
    program = (
        "import sys; from wfctl.spec.parse import parse_spec; from wfctl.diagnostics.model import SourceText\n"
        "_, findings = parse_spec(SourceText('w.yaml', 'models: {m1: {url: m1.mar, batch_size: 1}}\\ndag: {m1: []}\\n'))\n"
        "sys.exit(not findings or 'jsonschema' in sys.modules)"
    )
    assert run([sys.executable, "-c", program], check=False).returncode == 0
