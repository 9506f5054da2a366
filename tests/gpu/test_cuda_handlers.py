"""Handlers on a real CUDA device; run by ``pytest tests/gpu`` on a machine that has one, and failing on any other."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes.calls import call_of

from wfctl.engine.call import Part
from wfctl.errors import LoadError
from wfctl.hosting.host import Host, load_host
from wfctl.plan import CodeUnit, NodePlan
from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(2, 3, bias=False)
    def forward(self, x):
        return self.line(x)
"""

HANDLER = """
import json
import torch
from ts.torch_handler.base_handler import BaseHandler
from ts.utils.util import map_class_to_label

class Classifier(BaseHandler):
    def preprocess(self, data):
        return super().preprocess([json.loads(row["body"]) for row in data])
    def inference(self, data):
        out = super().inference(data)
        self.where = [str(data.device), str(out.device)]
        return out
    def postprocess(self, data):
        probs, classes = torch.topk(torch.softmax(data, dim=1), 2, dim=1)
        named = map_class_to_label(probs.tolist(), self.mapping, classes.tolist())
        return [{"classes": row, "where": self.where, "device": str(self.device), "map": self.map_location} for row in named]
"""

HUNGRY = """
import torch

class Hungry(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 100:
            return torch.empty(2**44, device=x.device)
        return torch.cat([x, x], dim=1)
"""

WEIGHTS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])


@pytest.fixture(autouse=True)
def cuda():
    assert torch.cuda.is_available(), "these tests need a CUDA device; make test leaves them out"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that loads an archive's files on the first device, as a worker does."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own.py").write_text(HANDLER, encoding="utf-8")

    def load(*, gpu_id: int | None = 0, config: str | None = None, **names: Any) -> Host:
        if config is not None:
            (tmp_path / "model-config.yaml").write_text(config, encoding="utf-8")
        code = CodeUnit(
            model_dir=str(tmp_path),
            handler="own.py",
            manifest={"model": names},
            config_file="model-config.yaml" if config else None,
        )
        return load_host(
            NodePlan(
                name="m",
                kind=NodeKind.MODEL,
                model_name="flow__m",
                settings=WorkerSettings(),
                parents=(),
                children=(),
                code=code,
            ),
            gpu_id=gpu_id,
        )

    yield load
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def answers(host: Host, *rows: Any):
    return host.answer([call_of(at, [Part("body", json.dumps(row).encode())]) for at, row in enumerate(rows)])


def checked(host: Host, *, device: str = "cuda:0", kind: str = "cuda") -> None:
    found = answers(host, [5.0, 0.0], [0.0, 5.0])
    assert [each.error and each.error.traceback_text for each in found] == [None, None]
    first, second = (json.loads(each.body) for each in found)
    assert (first["device"], first["map"], first["where"]) == (device, kind, [device, device])
    assert next(iter(first["classes"])) == "0"
    assert next(iter(second["classes"])) == "1"
    assert first["classes"]["0"] == pytest.approx(torch.softmax(torch.tensor([5.0, 0, -5.0]), 0)[0].item(), rel=1e-2)


def test_an_eager_model_computes_on_the_device_of_its_worker(host, tmp_path):
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    torch.save({"line.weight": WEIGHTS}, tmp_path / "w.pt")
    checked(host(modelFile="net.py", serializedFile="w.pt"))


def test_weights_saved_on_a_device_load_on_a_device_and_without_one(host, tmp_path):
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    torch.save({"line.weight": WEIGHTS.to("cuda:0")}, tmp_path / "w.pt")
    checked(host(modelFile="net.py", serializedFile="w.pt"))
    checked(host(modelFile="net.py", serializedFile="w.pt", gpu_id=None), device="cpu", kind="cpu")


def test_a_torchscript_model_computes_on_the_device_of_its_worker(host, tmp_path):
    model = torch.nn.Linear(2, 3, bias=False)
    model.weight.data = WEIGHTS
    torch.jit.script(model).save(tmp_path / "m.pt")
    checked(host(serializedFile="m.pt"))


# Some releases of torch warn once of the buffer that they themselves read the program from.
@pytest.mark.filterwarnings("ignore:The given buffer is not writable:UserWarning")
def test_an_exported_program_is_moved_to_the_device_of_its_worker(host, tmp_path):
    model = torch.nn.Linear(2, 3, bias=False)
    model.weight.data = WEIGHTS
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(model, (torch.ones(4, 2),), dynamic_shapes={"input": {0: batch}})
    torch.export.save(program, tmp_path / "m.pt2")
    checked(host(serializedFile="m.pt2"))


def test_a_compiled_model_answers_like_the_model(host, tmp_path):
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    torch.save({"line.weight": WEIGHTS}, tmp_path / "w.pt")
    config = "pt2:\n  compile:\n    enable: true\n    backend: aot_eager\n"
    checked(host(modelFile="net.py", serializedFile="w.pt", config=config))


def test_no_memory_on_the_device_is_said_and_the_worker_answers_on(host, tmp_path):
    (tmp_path / "hungry.py").write_text(HUNGRY, encoding="utf-8")
    loaded = host(modelFile="hungry.py")
    (failed,) = answers(loaded, [1000.0, 0.0])
    assert (failed.error.status, failed.error.message) == (507, "Out of resources")
    assert "out of memory" in failed.error.traceback_text
    (answered,) = answers(loaded, [5.0, 0.0])
    assert answered.error is None


def test_no_memory_for_the_weights_fails_the_load(host, tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.rows = torch.empty(2**44, device='cuda:0')\n",
        encoding="utf-8",
    )
    with pytest.raises(LoadError, match="System out of memory"):
        host(modelFile="net.py")


def test_tensor_cores_are_used_where_there_are_any(host, tmp_path):
    torch.set_float32_matmul_precision("highest")
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    host(modelFile="net.py")
    expected = "high" if torch.cuda.get_device_capability() >= (8, 0) else "highest"
    assert torch.get_float32_matmul_precision() == expected
