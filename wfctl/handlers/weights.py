"""From the files of a model to a module ready for inference.

Invariant: a state dict is read without running anything that stands in it (``weights_only``).
"""

import sys
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from wfctl.handlers.classes import list_classes_from_module


def load_torchscript(path: str, device: torch.device | None) -> Any:
    """Return a TorchScript model."""
    return torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]


def load_eager(model_dir: str, model_file: str, weights: str | None, map_location: str | None) -> torch.nn.Module:
    """Return an instance of the one class in ``model_file``, with its weights if there are any."""
    path = Path(model_dir, model_file)
    if not path.is_file():
        raise RuntimeError(f'model file "{model_file}" is not in the archive')
    classes = list_classes_from_module(_module_at(path))
    if len(classes) != 1:
        names = ", ".join(f'"{each.__name__}"' for each in classes) or "none"
        raise ValueError(f'model file "{model_file}" must define exactly one class; it defines {names}')
    model: torch.nn.Module = classes[0]()
    if weights is not None:
        _load_weights(model, weights, map_location)
    return model


def _module_at(path: Path) -> ModuleType:
    """Import the model file as the handler itself would, so that both see the same class."""
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    name = path.stem if known is None else f"wfctl_model_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f'model file "{path.name}" is no Python file')
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _load_weights(model: torch.nn.Module, path: str, map_location: str | None) -> None:
    mapped = map_location == "cpu" and _is_zip(path)
    state = torch.load(path, map_location=map_location, weights_only=True, mmap=mapped)
    # Mapped weights are shared by all workers of a model, if they become the parameters instead of being copied into
    # them. Only where the types agree: copying would convert them.
    model.load_state_dict(state, assign=mapped and _has_same_types(model, state))


def _has_same_types(model: torch.nn.Module, state: Mapping[str, Any]) -> bool:
    own = model.state_dict()
    return all(getattr(state.get(name), "dtype", None) == tensor.dtype for name, tensor in own.items())


def _is_zip(path: str) -> bool:
    """Say whether torch wrote its present form; the one before 1.6 cannot be mapped."""
    with Path(path).open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
