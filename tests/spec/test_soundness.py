"""The quick yes: never where the JSON Schema library would say no."""

import sys
from subprocess import run
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from wfctl.spec.schema import load_schema
from wfctl.spec.soundness import plainly_meets

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


@given(specs | values)
def test_a_quick_yes_is_a_yes(value: object) -> None:
    if plainly_meets(value, SCHEMA):
        assert list(LIBRARY(SCHEMA).iter_errors(value)) == []


@given(specs)
def test_a_sound_spec_gets_its_quick_yes(value: object) -> None:
    if not list(LIBRARY(SCHEMA).iter_errors(value)):
        assert plainly_meets(value, SCHEMA)


@pytest.mark.parametrize("schema", [{"const": 1}, {"$ref": "#"}, {"not": {}}, {"type": "unheard-of"}, False])
def test_what_is_not_known_is_a_no(schema: Any) -> None:
    assert not plainly_meets(1, schema)


def test_a_sound_spec_does_not_load_the_library() -> None:
    program = (
        "import sys; from wfctl.spec.parse import parse_spec; from wfctl.diagnostics.model import SourceText\n"
        "_, findings = parse_spec(SourceText('w.yaml', 'models: {m1: {url: m1.mar}}\\ndag: {m1: []}\\n'))\n"
        "sys.exit(bool(findings) or 'jsonschema' in sys.modules)"
    )
    assert run([sys.executable, "-c", program], check=False).returncode == 0
