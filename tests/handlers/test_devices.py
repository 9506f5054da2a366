import sys
import warnings
from types import ModuleType

import pytest
import torch

from wfctl.handlers.devices import choose_device


@pytest.fixture
def there(monkeypatch):
    """Say which kinds of devices this machine has."""

    def have(*kinds, capability=(7, 5)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in kinds)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
        monkeypatch.setattr(torch.xpu, "is_available", lambda: "xpu" in kinds)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in kinds)

    return have


@pytest.mark.parametrize(
    ("kinds", "gpu_id", "map_location", "device"),
    [
        ((), None, "cpu", "cpu"),
        ((), 0, "cpu", "cpu"),
        (("cuda", "xpu", "mps"), None, "cpu", "cpu"),
        (("cuda", "xpu", "mps"), 1, "cuda", "cuda:1"),
        (("cuda",), "0", "cuda", "cuda:0"),
        (("xpu", "mps"), 2, "xpu", "xpu:2"),
        (("mps",), 3, "mps", "mps"),
    ],
)
def test_the_first_kind_that_is_there_is_taken_if_a_number_is_given(there, kinds, gpu_id, map_location, device):
    there(*kinds)
    assert choose_device(gpu_id) == (map_location, torch.device(device))


def test_a_torch_without_cuda_is_named_where_a_gpu_was_given(there, caplog, monkeypatch):
    there()
    monkeypatch.setattr(torch.version, "cuda", None)
    choose_device(None)
    assert caplog.messages == []
    choose_device(1)
    (said,) = caplog.messages
    assert said.startswith(
        f"GPU 1 was given, but CUDA is missing: torch {torch.__version__} is built without it (https:"
    )
    assert said.endswith("; the model computes on the CPU")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RuntimeError("Found no NVIDIA driver on your system. Please check\nthat"),
            "Found no NVIDIA driver on your system",
        ),
        (RuntimeError(""), "no reason given"),
        (None, "no device is visible"),
    ],
)
def test_what_keeps_cuda_from_being_used_is_said_in_the_words_of_torch(there, caplog, monkeypatch, error, words):
    def init():
        if error is not None:
            raise error

    there()
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "init", init)
    assert choose_device("0") == ("cpu", torch.device("cpu"))
    (said,) = caplog.messages
    assert said.startswith(f"GPU 0 was given, but CUDA cannot be used: {words}")
    assert "see that nvidia-smi lists the GPU" in said


@pytest.mark.filterwarnings("error")
def test_what_torch_warns_of_a_driver_is_left_to_that_sentence(monkeypatch, caplog):
    def is_available():
        warnings.warn("CUDA initialization: the driver is too old", UserWarning, stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    choose_device(0)
    assert len(caplog.messages) == 1


def test_xla_is_taken_where_it_is_installed_and_maps_nothing(there, monkeypatch, tmp_path):
    there()
    for name in ("torch_xla", "torch_xla.core"):
        (tmp_path / name.replace(".", "/")).mkdir()
        (tmp_path / name.replace(".", "/") / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    model = ModuleType("torch_xla.core.xla_model")
    model.xla_device = lambda: torch.device("xla:0")
    monkeypatch.setitem(sys.modules, "torch_xla.core.xla_model", model)
    assert choose_device(None) == (None, torch.device("xla:0"))
    for name in ("torch_xla", "torch_xla.core"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("capability", "before", "after"),
    [((8, 0), "highest", "high"), ((7, 5), "highest", "highest"), ((9, 0), "medium", "medium")],
)
def test_tensor_cores_are_used_where_there_are_any_and_nobody_said_otherwise(there, capability, before, after):
    there("cuda", capability=capability)
    found = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(before)
        choose_device(0)
        assert torch.get_float32_matmul_precision() == after
    finally:
        torch.set_float32_matmul_precision(found)
