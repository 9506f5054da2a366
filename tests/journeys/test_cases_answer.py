"""Every sound workflow below tests/cases is given tiny models, and answers as its handler says."""

import json
import shutil
from pathlib import Path

import pytest

import wfctl
from wfctl.archive.mar import write_mar
from wfctl.archive.read_sources import read_sources
from wfctl.errors import RunError
from wfctl.spec.parse import parse_spec

OK = Path(__file__).parent.parent / "cases" / "ok"
MODEL = """
def handle(data, context):
    return data and [{"by": context.model_name.rpartition("__")[2], "of": sorted(row)} for row in data]
"""
HI = json.dumps("hi")


def said_by(model: str, *of: str) -> dict:
    return {"by": model, "of": list(of or ("body",))}


ANSWERS = {
    "blank-targets": said_by("m1"),
    "block-lists": {"large": said_by("large"), "small": said_by("small")},
    "class-handler": said_by("m1"),
    "crlf-and-byte-order-mark": said_by("m1"),
    "diamond-of-diamonds": {name: {"b": "hi", "m1": said_by("m1")} for name in ("e", "f")},
    "function-settings": said_by("m1"),
    "functions-only": "hi",
    "json-text": said_by("m1"),
    "merge-keys": {"large": said_by("large"), "small": said_by("small")},
    "names-of-all-scripts": {name: said_by(name) for name in ("3d-unet.v2", "my model", "模型")},
    "several-entries": {"large": said_by("large"), "small": said_by("small")},
    "several-leaves": {"boxes": said_by("boxes"), "labels": said_by("labels")},
    "single-function": "hi",
    "torchserve-full": said_by("m4"),
    "torchserve-models": said_by("model_name"),
    "torchserve-parallel": {"model1": said_by("model1"), "model2": said_by("model2")},
    "torchserve-sequential": said_by("model2"),
}


def read_through(value):
    """Read JSON, and JSON that stands as text inside it, as functions that join texts leave it."""
    if isinstance(value, str):
        try:
            return read_through(json.loads(value))
        except ValueError:
            return value
    return {name: read_through(each) for name, each in value.items()} if isinstance(value, dict) else value


@pytest.fixture
def case(tmp_path):
    def write(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(OK / f"{name}.yaml", folder / "workflow.yaml")
        if (OK / f"{name}.py").exists():
            shutil.copy(OK / f"{name}.py", folder / "handler.py")
        code = tmp_path / "model.py"
        code.write_text(MODEL)
        spec, _ = parse_spec(read_sources(folder).sources.spec)
        for model in spec.models.values():
            write_mar(folder / model.url, model_name="tiny", handler=code)
        return folder

    return write


def test_no_case_is_left_out() -> None:
    assert {path.stem for path in OK.glob("*.yaml")} == {*ANSWERS, "torchserve-handler"}


@pytest.mark.parametrize("name", ANSWERS)
def test_it_answers(case, name) -> None:
    with wfctl.open_deployment(case(name), inline=True) as flow:
        assert read_through(flow.predict(HI).text) == ANSWERS[name]


def test_functions_that_do_nothing_are_told_what_to_return(case) -> None:
    with (
        wfctl.open_deployment(case("torchserve-handler"), inline=True) as flow,
        pytest.raises(RunError, match="it must return a list, one item per request"),
    ):
        flow.predict(HI)
