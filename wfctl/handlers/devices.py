"""Where a model computes.

A number that was given and cannot be used is said, with what is missing: a model on the CPU is easily ten times slower,
and the original says nothing.
Invariant: asks a kind of device whether it is there only if a device number was given: a worker without one stays off
every accelerator.
"""

import logging
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

_TENSOR_CORES = (8, 0)
_GET_TORCH = "https://pytorch.org says how to install one that is built for this GPU"
_GET_DRIVER = "see that nvidia-smi lists the GPU and that the driver is new enough for this torch"
_log = logging.getLogger(__name__)


def choose_device(gpu_id: Any) -> tuple[str | None, torch.device]:
    """Return where weights are to be mapped and where the model computes; number and kind come from the server."""
    if gpu_id is not None:
        if _has_cuda():
            _allow_tensor_cores()
            return "cuda", torch.device(f"cuda:{gpu_id}")
        if torch.xpu.is_available():
            return "xpu", torch.device(f"xpu:{gpu_id}")
        if torch.backends.mps.is_available():
            return "mps", torch.device("mps")
    if find_spec("torch_xla") is not None:
        device: torch.device = import_module("torch_xla.core.xla_model").xla_device()
        return None, device
    if gpu_id is not None:
        _log.warning("GPU %s was given, but %s; the model computes on the CPU", gpu_id, _what_is_missing())
    return "cpu", torch.device("cpu")


def _has_cuda() -> bool:
    with warnings.catch_warnings():
        # torch warns of a driver that it cannot use; we say it in our own words, once.
        warnings.simplefilter("ignore")
        return torch.cuda.is_available()


def _what_is_missing() -> str:
    """Return in words why there is no CUDA, and how to mend it."""
    if torch.version.cuda is None and torch.version.hip is None:
        return f"CUDA is missing: torch {torch.__version__} is built without it ({_GET_TORCH})"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except RuntimeError as reason:
        words = (str(reason).strip().splitlines() or ["no reason given"])[0].rstrip(".")
    else:
        words = "no device is visible"
    return f"CUDA cannot be used: {words} ({_GET_DRIVER})"


def _allow_tensor_cores() -> None:
    """Let float32 products use tensor cores, as the original does on devices that have them."""
    # Whoever has chosen another precision keeps it.
    is_default = torch.get_float32_matmul_precision() == "highest"
    if is_default and torch.cuda.get_device_capability() >= _TENSOR_CORES:
        torch.set_float32_matmul_precision("high")
