"""The published schema: what an editor shows, its defaults, and that YAML 1.1 reads none of its words otherwise."""

from collections.abc import Iterator
from dataclasses import fields

import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import extend
from spec_texts import MODELS, PARALLEL, SEQUENTIAL, documented_defaults

from wfctl.diagnostics.model import SourceText
from wfctl.errors import InternalError
from wfctl.plan import QUEUE_SIZE
from wfctl.spec.model import SETTING_FIELDS, Extension, WorkerSettings
from wfctl.spec.parse import parse_spec
from wfctl.spec.plain import json_value
from wfctl.spec.scalars import Kind, kind_of
from wfctl.spec.schema import faults, load_schema
from wfctl.spec.source import compose, read_mapping

SCHEMA = load_schema("workflow-spec")


def subschemas(schema, path="") -> Iterator[tuple[str, dict]]:
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from subschemas(each, f"{path}/{name}")
    for keyword in ("additionalProperties", "items"):
        if isinstance(schema.get(keyword), dict):
            yield from subschemas(schema[keyword], f"{path}/*")
    for each in schema.get("anyOf", ()):
        yield from subschemas(each, f"{path}|")


ALL = dict(subschemas(SCHEMA))
PROPERTIES = {path: each for path, each in ALL.items() if not path.endswith("|")}


def test_the_schema_is_a_schema_of_its_draft():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"].endswith("2020-12/schema")
    assert SCHEMA["$id"]


@pytest.mark.parametrize("path", PROPERTIES)
def test_every_place_is_explained_and_shown_by_an_example(path):
    schema = PROPERTIES[path]
    assert schema["title"]
    assert schema["description"].endswith(".")
    for example in schema["examples"]:
        assert not list(faults(example, schema))


@pytest.mark.parametrize("path", [path for path in PROPERTIES if path and not path.endswith("*")])
def test_every_key_that_may_be_left_out_has_a_sound_default(path):
    schema = PROPERTIES[path]
    parent = PROPERTIES.get(path.rpartition("/")[0]) or ALL[path.rpartition("/")[0]]
    if path.rpartition("/")[2] in parent.get("required", ()):
        return
    if path.endswith(("/sha256", "/when", "/warm-up", "/combine")):
        assert "default" not in schema
        return
    assert not list(faults(schema["default"], schema))


def test_defaults_of_worker_settings_are_those_of_the_code_and_of_the_document():
    places = [SCHEMA["properties"]["models"], ALL["/models/*"], ALL["/wfctl/functions/*"]]
    code = WorkerSettings()
    assert set(SETTING_FIELDS.values()) == {each.name for each in fields(WorkerSettings)}
    documented = documented_defaults()
    assert documented.keys() == SETTING_FIELDS.keys()
    for place in places:
        for key, field in SETTING_FIELDS.items():
            assert place["properties"][key]["type"] == "integer"
            if place is places[0]:
                assert place["properties"][key]["default"] == getattr(code, field) == documented[key]


def test_defaults_of_functions_are_those_of_the_code():
    spec, _ = parse_spec(SourceText("w", "dag: {f: []}"))
    settings = spec.function_settings("f")
    for key, field in SETTING_FIELDS.items():
        assert ALL["/wfctl/functions/*"]["properties"][key]["default"] == getattr(settings, field)


def test_defaults_of_the_extension_are_those_of_the_code():
    places = SCHEMA["properties"]["wfctl"]["properties"]
    code = Extension()
    assert places["queue-size"]["default"] == QUEUE_SIZE
    assert places["batching"]["default"] == code.batching
    assert places["idle-s"]["default"] == code.idle_s
    assert places["nodes"]["additionalProperties"]["properties"]["isolate"]["default"] is code.isolates("any")
    assert (places["entries"]["default"] == "many") is code.allows_many_entries


def words_of(schema) -> Iterator[str]:
    for path, each in subschemas(schema):
        yield path.rpartition("/")[2].strip("*|")
        yield from (value for value in each.get("enum", ()) if isinstance(value, str))


def test_no_word_of_the_schema_changes_its_type_under_yaml():
    found = {word for word in words_of(SCHEMA) if word}
    assert {"map", "on-error", "adaptive", "isolate", "queue-size", "idle-s"} <= found
    assert {word for word in found if kind_of(word) is not Kind.TEXT} == set()
    assert read_mapping("".join(f"{word}: {word}\n" for word in found)) == {word: word for word in found}


@pytest.mark.parametrize("text", [MODELS, SEQUENTIAL, PARALLEL], ids=["models", "sequential", "parallel"])
def test_the_examples_of_the_document_satisfy_the_schema(text):
    root, findings = compose(SourceText("w", text))
    assert not findings
    assert not list(faults(json_value(root), SCHEMA))


ODD = [
    {},
    {"dag": {}},
    {"dag": {"a": ["b", None, ""]}, "models": None, "wfctl": None},
    {"dag": {"a": "b", "c": [1, ["x"]]}},
    {"dag": {"a": []}, "models": {"m": {"url": "x", "batch-size": 0}, "n": {"url": ""}, "o": None, "p": {"u": 1}}},
    {"dag": {"a": []}, "models": {"batch-size": True, "max-workers": 2.0, "m": {"url": 5, "sha256": "zz"}}},
    {"dag": {"a": []}, "wfctl": {"payload": "x", "nodes": {"a": {"on-error": {"default": 1}, "isolate": 0}}, "y": 1}},
    {"dag": {"a": []}, "wfctl": {"edges": {"a -> b": {"map": True}, "c": {}}, "functions": {"f": {"timeout-ms": 0}}}},
    {"dag": {"a": []}, "wfctl": {"nodes": {"a": {"on-error": "skip"}, "b": {"on-error": "x"}, "c": {"on-error": {}}}}},
]


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_short_cuts_find_what_the_library_finds(value):
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, each: type(each) is int)
    library = extend(Draft202012Validator, type_checker=types)(SCHEMA)
    expected = {tuple(error.absolute_path) for error in library.iter_errors(value)}
    found = {fault.path for fault in faults(value, SCHEMA)}
    # Where none of several alternatives is met, ours may point into the one that was meant.
    assert all(any(path[: len(each)] == each for path in found) for each in expected)
    assert all(any(path[: len(each)] == each for each in expected) for path in found)


def test_a_schema_that_is_not_installed_is_named() -> None:
    with pytest.raises(InternalError, match="no-such-schema"):
        load_schema("no-such-schema")
