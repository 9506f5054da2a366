"""Where a model computes.

Invariant: asks a kind of device whether it is there only if a device number was given: a worker without one stays off
every accelerator.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

_TENSOR_CORES = (8, 0)


def choose_device(gpu_id: Any) -> tuple[str | None, torch.device]:
    """Return where weights are to be mapped and where the model computes; number and kind come from the server."""
    if gpu_id is not None:
        if torch.cuda.is_available():
            _allow_tensor_cores()
            return "cuda", torch.device(f"cuda:{gpu_id}")
        if torch.xpu.is_available():
            return "xpu", torch.device(f"xpu:{gpu_id}")
        if torch.backends.mps.is_available():
            return "mps", torch.device("mps")
    if find_spec("torch_xla") is not None:
        device: torch.device = import_module("torch_xla.core.xla_model").xla_device()
        return None, device
    return "cpu", torch.device("cpu")


def _allow_tensor_cores() -> None:
    """Let float32 products use tensor cores, as the original does on devices that have them."""
    # Whoever has chosen another precision keeps it.
    is_default = torch.get_float32_matmul_precision() == "highest"
    if is_default and torch.cuda.get_device_capability() >= _TENSOR_CORES:
        torch.set_float32_matmul_precision("high")
