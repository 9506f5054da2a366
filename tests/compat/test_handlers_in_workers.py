"""Fixtures as nodes of real workflows: worker processes, fan-out, and what of a single leaf reaches the caller."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from fixtures import fixture, pack
from forms import is_same

import wfctl
from wfctl.errors import LoadError, RunError

FANNED_OUT = ("entry_function", "entry_json_name", "entry_no_suffix", "manifest_none", "entry_decorated")
"""Models that are satisfied with any request."""

SPREAD = """
import json


def spread(data, context):
    return data and [json.dumps(data[0]["body"])]
"""


def workflow(folder: Path, dag: str, models: Sequence[str]) -> Path:
    folder.mkdir()
    for name in models:
        pack(fixture(name), folder / f"{name}.mar", staging=folder / "staging")
    listed = "".join(f"  {name}: {{url: {name}.mar}}\n" for name in models)
    (folder / "workflow.yaml").write_text(f"models:\n{listed}dag:\n{dag}", encoding="utf-8")
    return folder


def first_answer(name: str) -> dict:
    return fixture(name).ours["batches"][0][0]


@pytest.mark.slow
def test_every_leaf_of_a_fan_out_answers_in_its_own_process(tmp_path):
    folder = workflow(tmp_path / "flow", f"  spread: [{', '.join(FANNED_OUT)}]\n", FANNED_OUT)
    (folder / "handler.py").write_text(SPREAD, encoding="utf-8")
    with wfctl.open_deployment(folder) as opened:
        answer = opened.predict("you")
    assert (answer.status, answer.content_type) == (200, "application/json")
    said = answer.json()
    assert list(said) == list(FANNED_OUT)
    assert said["entry_function"] == "bytearray(b'\"you\"') after 1 load"
    assert said["entry_json_name"] == "from the archive"
    assert said["manifest_none"] == {"manifest": None, "config": {}}
    assert said["entry_no_suffix"] == 1
    assert said["entry_decorated"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"), [("base_eager", [1, 2, 3]), ("entry_partial", {"x": 5}), ("entry_hyphen", "shout")]
)
def test_a_single_leaf_answers_with_its_own_bytes(tmp_path, name, value):
    with wfctl.open_deployment(workflow(tmp_path / "flow", f"  {name}: []\n", [name])) as opened:
        answer = opened.predict(value)
    assert is_same({"status": answer.status, "text": answer.text}, first_answer(name))


@pytest.mark.slow
def test_status_headers_and_type_of_the_leaf_reach_the_caller(tmp_path):
    with wfctl.open_deployment(workflow(tmp_path / "flow", "  status_all: []\n", ["status_all"])) as opened:
        answer = opened.predict("x")
    expected = first_answer("status_all")
    assert answer.status == expected["status"] == 201
    assert answer.content_type == expected["content_type"]
    assert dict(answer.headers) == expected["headers"]


@pytest.mark.slow
def test_a_status_of_an_error_fails_the_run_with_the_handlers_words(tmp_path):
    folder = workflow(tmp_path / "flow", "  status_per_item: []\n", ["status_per_item"])
    with wfctl.open_deployment(folder) as opened:
        assert opened.predict("x").text == "x 200"
        with pytest.raises(RunError) as caught:
            opened.predict("absent")
    assert (caught.value.status, caught.value.message, caught.value.attempts) == (404, "no such thing", 1)


@pytest.mark.slow
def test_an_envelope_is_around_models_and_not_around_functions(tmp_path):
    folder = workflow(tmp_path / "flow", "  spread: [envelope_json]\n", ["envelope_json"])
    (folder / "handler.py").write_text(SPREAD, encoding="utf-8")
    with wfctl.open_deployment(folder, service_envelope="json") as opened:
        assert opened.predict({"instances": [1, "two"]}).json() == {"predictions": ["1", "'two'"]}


@pytest.mark.slow
def test_what_a_handler_lacks_is_named_with_what_brings_it(tmp_path):
    name = "entry_missing_dependency"
    with (
        pytest.raises(LoadError) as caught,
        wfctl.open_deployment(workflow(tmp_path / "flow", f"  {name}: []\n", [name])),
    ):
        pass
    assert "No module named 'surely_not_installed_anywhere'" in caught.value.message
    assert 'pip install surely_not_installed_anywhere; the archive lists what it needs in "requirements.txt"' in str(
        caught.value.hint
    )
    assert json.dumps(caught.value.traceback_text).count("handler.py") == 1
