"""Models in ONNX, run by ONNX Runtime.

Invariant: onnxruntime is imported only for a model that is ONNX.
"""

from pathlib import Path
from typing import Any

import torch

from wfctl.handlers.extras import extra
from wfctl.handlers.unloadable import UnloadableModelError


def load_onnx(path: str, map_location: str | None) -> Any:
    """Return a session, which handlers call by ``self.model.run(names, inputs)``."""
    with extra("onnx"):
        import onnxruntime  # type: ignore[import-untyped]
    options = onnxruntime.SessionOptions()
    # The original takes every processor in every worker; ours divide them, as they do for torch.
    options.intra_op_num_threads = torch.get_num_threads()
    wanted = ["CUDAExecutionProvider"] if map_location == "cuda" else []
    usable = [each for each in wanted if each in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(path, sess_options=options, providers=[*usable, "CPUExecutionProvider"])
    except Exception as reason:
        raise UnloadableModelError(f'"{Path(path).name}" cannot be read as ONNX: {reason}') from reason


def is_session(model: Any) -> bool:
    """Say whether a model is a session; one of a subclass that can be called is the subclass's to call."""
    return not callable(model) and hasattr(model, "run") and hasattr(model, "get_inputs")


def run_session(session: Any, inputs: tuple[torch.Tensor, ...], device: torch.device | None) -> Any:
    """Return the output of a session as a tensor, several as a list; the original leaves this to subclasses."""
    names = [each.name for each in session.get_inputs()]
    given = {name: value.detach().cpu().numpy() for name, value in zip(names, inputs, strict=False)}
    found = [torch.as_tensor(each, device=device) for each in session.run(None, given)]
    return found[0] if len(found) == 1 else found
