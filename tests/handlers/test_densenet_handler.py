import io
from pathlib import Path

import pytest
import torch

from wfctl.handlers.densenet_handler import DenseNetHandler


def saved(value):
    written = io.BytesIO()
    torch.save(value, written)
    return written.getvalue()


@pytest.fixture
def ready(context, tmp_path):
    torch.jit.script(torch.nn.ReLU()).save(tmp_path / "m.pt")
    about = context(serializedFile="m.pt")
    made = DenseNetHandler()
    made.initialize(about)
    return made, about


def test_saved_tensors_are_answered_by_one_tensor(ready, batch):
    made, about = ready
    (answer,) = batch(
        made, about, {"data": saved(torch.tensor([-1.0, 1.0]))}, {"body": bytearray(saved(torch.ones(2)))}
    )
    assert answer.tolist() == [[0, 1], [1, 1]]
    assert about.metrics.times["HandlerTime"] >= 0


def test_what_a_client_sends_never_runs_code(ready, batch, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")

    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    with pytest.raises(Exception, match="Weights only load failed"):
        batch(*ready, {"data": saved(Trap())})
    assert not (tmp_path / "sprung").exists()


def test_a_model_file_gives_the_model_its_class(context, model_file, tmp_path, batch):
    torch.save({}, tmp_path / "w.pt")
    text = "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x): return x + 1\n"
    made, about = DenseNetHandler(), context(modelFile=model_file(text), serializedFile="w.pt")
    made.initialize(about)
    assert batch(made, about, {"data": saved(torch.zeros(1))})[0].tolist() == [[1]]
    assert not made.model.training


@pytest.mark.parametrize("names", [{}, {"serializedFile": "w.pt"}])
def test_weights_must_be_there(context, names):
    with pytest.raises(RuntimeError, match="No model weights could be loaded"):
        DenseNetHandler().initialize(context(**names))
