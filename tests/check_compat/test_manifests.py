"""What a manifest names, and whether it is there."""

from pathlib import Path

import pytest
from judging import NOOP, codes, judged, pack, pack_model

from wfctl.compat.model import Verdict


def test_a_handler_in_a_package_runs_as_it_is(tmp_path: Path) -> None:
    files = {"serving/__init__.py": "", "serving/entry.py": NOOP}
    found = judged(pack_model(tmp_path / "m1.mar", files, handler="serving.entry:handle"))
    assert (found.verdict, found.rows) == (Verdict.SAME, ())


def test_a_handler_below_a_folder_is_not_found_by_its_path(tmp_path: Path) -> None:
    found = judged(pack_model(tmp_path / "m1.mar", {"src/handler.py": NOOP}, handler="src/handler.py"))
    assert codes(found) == ["WF937"]


@pytest.mark.parametrize(
    ("model", "members", "missing"),
    [
        ({"handler": "base_handler"}, {}, "neither weights nor a file with the model"),
        ({"handler": "base_handler", "serializedFile": "w.bin"}, {"w.bin": ""}, '"w.bin"'),
        ({"handler": "image_classifier", "serializedFile": "w.pth"}, {"w.pth": ""}, '"w.pth"'),
        ({"handler": "text_classifier", "serializedFile": "w.pt"}, {"w.pt": ""}, '"source_vocab.pt"'),
        ({"handler": "base_handler", "serializedFile": "w.pt"}, {}, '"w.pt"'),
    ],
)
def test_what_a_built_in_handler_cannot_load_is_told(
    tmp_path: Path, model: dict[str, str], members: dict[str, str], missing: str
) -> None:
    found = judged(pack_model(tmp_path / "m1.mar", members, **model), libraries=("torch", "torchvision", "PIL"))
    assert codes(found) == ["WF937"]
    assert missing in found.rows[0].finding.message


@pytest.mark.parametrize(
    "model",
    [
        {"handler": "base_handler", "modelFile": "net.py"},
        {"handler": "base_handler", "modelFile": "net.py", "serializedFile": "w.bin"},
        {"handler": "base_handler", "serializedFile": "w.pt"},
        {"handler": "base_handler", "serializedFile": "w.onnx"},
        {"handler": "text_classifier", "serializedFile": "w.pt", "sourceVocab": "words.pt"},
    ],
)
def test_what_a_built_in_handler_loads_is_no_difference(tmp_path: Path, model: dict[str, str]) -> None:
    members = dict.fromkeys(("net.py", "w.bin", "w.pt", "w.onnx", "words.pt"), "")
    assert judged(pack_model(tmp_path / "m1.mar", members, **model), libraries=("torch", "onnxruntime")).rows == ()


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        ("async def handle(data, context):\n    return data\n", "WF406"),
        ("def answer(data, context):\n    return data\n", "WF937"),
        ("", "WF937"),
    ],
)
def test_a_handler_that_answers_nothing_is_told(tmp_path: Path, handler: str, code: str) -> None:
    found = judged(pack_model(tmp_path / "m1.mar", {"handler.py": handler}))
    assert codes(found) == [code]
    assert "here" in found.rows[0].finding.message


@pytest.mark.parametrize(
    "handler",
    [
        "from steps import *\n",
        "from steps import handle\n",
        "handle = make()\n",
        "class Handler:\n    def handle(self, data, context):\n        return data\n",
    ],
)
def test_a_handler_whose_entry_point_may_come_from_elsewhere_is_no_difference(tmp_path: Path, handler: str) -> None:
    assert judged(pack_model(tmp_path / "m1.mar", {"handler.py": handler, "steps.py": NOOP})).rows == ()


def test_a_row_names_a_model_as_its_manifest_does(tmp_path: Path) -> None:
    files = {"handler.py": NOOP, "c.yaml": "useJobTicket: true\n"}
    (row,) = judged(pack_model(tmp_path / "m1.mar", files, modelName="bert", configFile="c.yaml")).rows
    assert 'of model "bert"' in row.finding.message


def test_an_archive_without_a_usable_name_is_judged_all_the_same(tmp_path: Path) -> None:
    files = {"handler.py": NOOP, "c.yaml": "useJobTicket: true\n"}
    for name in ("no name\n", "timeout-ms", None):
        assert codes(judged(pack_model(tmp_path / "m1.mar", files, modelName=name, configFile="c.yaml"))) == ["WF511"]


def test_an_archive_for_another_runtime_is_told_once(tmp_path: Path) -> None:
    (row,) = judged(pack_model(tmp_path / "m1.mar", {"libh.so": ""}, runtime="LSP", handler="libh:H")).rows
    assert row.finding.code == "WF512"
    assert "TorchServe" in row.finding.message


def test_a_refused_archive_comes_with_what_to_do(tmp_path: Path) -> None:
    found = judged(pack(tmp_path / "m1.mar", {"../x": ""}))
    assert found.error is not None
    assert found.error.hint
