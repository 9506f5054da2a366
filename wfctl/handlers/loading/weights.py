"""From the files of a model to a module ready for inference.

Invariant: a state dict is read without running anything that stands in it; weights that all workers read are mapped,
not copied.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.utils.weak import TensorWeakRef

from wfctl.handlers.loading.model_file import load_model_class
from wfctl.handlers.loading.pickles import load_saved
from wfctl.handlers.unloadable import UnloadableModelError


def load_torchscript(path: str, device: torch.device | None) -> Any:
    """Return a TorchScript model."""
    require(path)
    try:
        return torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    except RuntimeError as reason:
        if "PytorchStreamReader" not in str(reason):
            raise
        raise UnloadableModelError(
            f'"{Path(path).name}" is no TorchScript file; a file of weights needs the model\'s class beside it, named '
            'by "modelFile" in the manifest'
        ) from reason


def load_eager(
    model_dir: str, model_file: str, weights: str | None, map_location: Any, *, is_trusted: bool = True
) -> torch.nn.Module:
    """Return an instance of the one class in ``model_file``, with its weights if there are any."""
    kind = load_model_class(model_dir, model_file)
    model: torch.nn.Module = kind()
    if weights is None:
        return model
    require(weights)
    is_mapped = str(map_location) == "cpu" and _is_zip(weights)
    saved = load_saved(
        weights,
        map_location=map_location,
        mmap=is_mapped,
        is_trusted=is_trusted,
        module=sys.modules.get(kind.__module__),
    )
    if isinstance(saved, torch.nn.Module):
        return saved  # the whole model, which the original refuses in the place of a state dict
    _load_state(model, saved, Path(weights).name, is_mapped=is_mapped)
    return model


def require(path: str) -> None:
    """Raise where weights that the manifest names are not in the archive."""
    if not Path(path).is_file():
        raise UnloadableModelError(f'weights "{Path(path).name}" are not in the archive')


def _load_state(model: torch.nn.Module, state: Any, name: str, *, is_mapped: bool) -> None:
    if not isinstance(state, Mapping):
        raise UnloadableModelError(f'"{name}" holds a {type(state).__name__}, and not weights by their names')
    try:
        # Mapped weights are shared by all workers of a model, if they become the parameters instead of being copied
        # into them. Only where the types agree: copying would convert them.
        if is_mapped and not _loads_in_its_own_way(model) and _has_same_types(model, state):
            _assign(model, state)
        else:
            model.load_state_dict(state)
    except RuntimeError as reason:
        words = " ".join(str(reason).split())
        raise UnloadableModelError(f'"{name}" does not fit the model file: {words}') from reason


def _loads_in_its_own_way(model: torch.nn.Module) -> bool:
    """Say whether the class overrides ``load_state_dict``, which then need not take an argument as young as ours."""
    return type(model).load_state_dict is not torch.nn.Module.load_state_dict


def _has_same_types(model: torch.nn.Module, state: Mapping[str, Any]) -> bool:
    return all(_is_like(state.get(name), own) for name, own in model.state_dict().items())


def _is_like(one: Any, own: Any) -> bool:
    # What a module adds to its state beside tensors, as quantized ones do, is a reason to copy.
    return isinstance(one, torch.Tensor) and isinstance(own, torch.Tensor) and one.dtype == own.dtype


def _assign(model: torch.nn.Module, state: Mapping[str, Any]) -> None:
    """Make the tensors of ``state`` the model's own."""
    first = {name: TensorWeakRef(each) for name, each in model.state_dict(keep_vars=True).items()}
    model.load_state_dict(state, assign=True)
    # What else holds a tensor that the model was made with, a list of them or a view of one, must see the weights too.
    for name, reference in first.items():
        tensor = reference()
        if tensor is not None:
            with torch.no_grad():
                tensor.copy_(state[name])


def _is_zip(path: str) -> bool:
    """Say whether torch wrote its present form; the one before 1.6 cannot be mapped."""
    with Path(path).open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
