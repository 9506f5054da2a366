"""What moved a model: captum's integrated gradients, for pictures and for texts.

Invariant: captum is imported when an explanation is asked for, not when a model is loaded.
"""

from typing import Any

import torch

from wfctl.handlers.extras import extra


def integrated_gradients(model: Any) -> Any:
    """Return what explains a model by the gradients of its input."""
    with extra("explain"):
        from captum.attr import IntegratedGradients  # type: ignore[import-untyped]
    return IntegratedGradients(model)


def layer_integrated_gradients(model: Any, layer: Any) -> Any:
    """Return what explains a model by the gradients of one layer."""
    with extra("explain"):
        from captum.attr import LayerIntegratedGradients
    return LayerIntegratedGradients(model, layer)


def target_of(target: Any) -> Any:
    """Return the class to explain; a field of a form comes as bytes."""
    text = target.decode("utf-8", "replace") if isinstance(target, bytes | bytearray) else target
    return int(text) if isinstance(text, str) and text.strip().isdecimal() else text


def softmax_of(values: torch.Tensor) -> torch.Tensor:
    """Return the softmax along the dimension that torch takes where none is named: rows of a table, else the first."""
    return torch.nn.functional.softmax(values, dim=0 if values.dim() in {0, 1, 3} else 1)
