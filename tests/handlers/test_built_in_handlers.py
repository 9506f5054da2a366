"""Handlers that a manifest names and no archive holds: real archives, made by the original's archiver, real workers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pictures import BRIGHTNESS, BY_PIXEL, FINDS, png

import wfctl
from wfctl.errors import RunError

ARCHIVER = Path(sys.executable).with_name("torch-model-archiver")
STARTUP = Path(__file__).parents[1] / "fakes" / "startup"
SPEC = "models:\n  retry-attempts: 0\n  m:\n    url: m.mar\ndag:\n  m: []\n"

COUNTS = """
import torch

class Counts(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(3, 2, mode="sum")
    def forward(self, text, offsets):
        return self.embedding(text, offsets)
"""
NAMES = {"0": ["n0", "red"], "1": "green", "2": "blue"}
RED = png((255, 0, 0))


@pytest.fixture(autouse=True)
def startup(monkeypatch):
    """Let workers import torchvision."""
    monkeypatch.setenv("PYTHONPATH", str(STARTUP), prepend=":")


@pytest.fixture
def flow(tmp_path):
    """Return a function that archives a model, puts it into a workflow of one node, and opens that."""
    files, folder = tmp_path / "files", tmp_path / "flow"
    files.mkdir()
    folder.mkdir()
    (folder / "workflow.yaml").write_text(SPEC, encoding="utf-8")

    def opened(handler, *, model=None, weights=None, extra=None, **options):
        if model is not None:
            (files / "net.py").write_text(model, encoding="utf-8")
            options["model-file"] = "net.py"
        if weights is not None:
            torch.save(weights, files / "w.pt")
            options["serialized-file"] = "w.pt"
        for name, value in (extra or {}).items():
            torch.save(value, files / name) if name.endswith(".pt") else (files / name).write_text(json.dumps(value))
        if extra:
            options["extra-files"] = ",".join(extra)
        arguments = [f"--{key}={value}" for key, value in options.items()]
        basics = ["--model-name=m", "--version=1.0", f"--handler={handler}", f"--export-path={folder}"]
        subprocess.run([str(ARCHIVER), *basics, *arguments], check=True, cwd=files, capture_output=True)
        return wfctl.open_deployment(folder)

    return opened


def scripted(tmp_path, model):
    torch.jit.script(model).save(tmp_path / "files" / "scripted.pt")
    return {"serialized-file": "scripted.pt"}


def test_image_classifier_with_an_eager_model(flow):
    opened = flow(
        "image_classifier", model=BRIGHTNESS, weights={"gain": torch.tensor([2.0])}, extra={"index_to_name.json": NAMES}
    )
    with opened as deployed:
        by_bytes = deployed.predict(RED).json()
        by_field = deployed.predict(fields={"data": RED}).json()
    assert next(iter(by_bytes)) == "red"
    assert set(by_bytes) == {"red", "green", "blue"}
    assert sum(by_bytes.values()) == pytest.approx(1)
    assert by_field == by_bytes


def test_image_classifier_with_a_torchscript_model(flow, tmp_path):
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    with flow("image_classifier", **scripted(tmp_path, model)) as deployed:
        answer = deployed.predict(RED).json()
    assert next(iter(answer)) == "0"
    assert len(answer) == 3


def test_image_segmenter(flow):
    with flow("image_segmenter", model=BY_PIXEL) as deployed:
        answer = torch.tensor(deployed.predict(RED).json())
    assert answer.shape == (224, 224, 2)
    assert (answer[..., 0] == 0).all()
    assert (answer[..., 1] > 0.5).all()


def test_object_detector(flow):
    with flow("object_detector", model=FINDS, extra={"index_to_name.json": {"1": "cat", "7": "dog"}}) as deployed:
        answer = deployed.predict(RED).json()
    assert answer == [{"cat": [0, 1, 2, 3], "score": 0.75}, {"dog": [4, 5, 6, 7], "score": 1.0}]


def test_text_classifier(flow):
    weights = {"embedding.weight": torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])}
    extra = {"source_vocab.pt": {"<unk>": 0, "good": 1, "bad": 2}, "index_to_name.json": {"0": "kind", "1": "rude"}}
    with flow("text_classifier", model=COUNTS, weights=weights, extra=extra) as deployed:
        kind = deployed.predict("It's GOOD, good!").json()
        rude = deployed.predict(b"bad").json()
    assert kind["kind"] == pytest.approx(torch.sigmoid(torch.tensor(4.0)).item())
    assert rude["rude"] == pytest.approx(torch.sigmoid(torch.tensor(2.0)).item())


def test_base_handler_loads_and_fails_on_rows_that_nobody_took_apart(flow, tmp_path):
    with flow("base_handler", **scripted(tmp_path, torch.nn.ReLU())) as deployed, pytest.raises(RunError) as failed:
        deployed.predict([1.0])
    assert "as_tensor" in failed.value.traceback_text


def test_base_handler_answers_where_an_archive_builds_on_it(flow, tmp_path):
    (tmp_path / "files" / "own.py").write_text(
        "from ts.torch_handler.base_handler import BaseHandler\n"
        "class Own(BaseHandler):\n"
        "    def preprocess(self, data): return super().preprocess([row['body'] for row in data])\n",
        encoding="utf-8",
    )
    with flow("own.py", **scripted(tmp_path, torch.nn.ReLU())) as deployed:
        assert deployed.predict([-1.0, 2.0]).json() == [0.0, 2.0]


def test_an_archives_own_module_of_the_same_name_wins(flow, tmp_path):
    (tmp_path / "files" / "image_classifier.py").write_text(
        "def handle(data, context):\n    return None if data is None else ['own']\n", encoding="utf-8"
    )
    with flow("image_classifier.py", **scripted(tmp_path, torch.nn.ReLU())) as deployed:
        assert deployed.predict(b"x").body == b"own"


def test_a_built_in_handler_serves_inline_too(tmp_path, flow):
    with flow("image_classifier", model=BRIGHTNESS):
        pass
    with wfctl.open_deployment(tmp_path / "flow", inline=True) as deployed:
        assert next(iter(deployed.predict(RED).json())) == "0"


def test_what_the_model_of_an_archive_refuses_does_not_end_its_worker(flow):
    with flow("image_classifier", model=BRIGHTNESS) as deployed:
        with pytest.raises(RunError) as failed:
            deployed.predict(b"no picture")
        assert "cannot identify image file" in failed.value.traceback_text
        assert next(iter(deployed.predict(RED).json())) == "0"
