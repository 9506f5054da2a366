"""Saved tensors in, one saved tensor out.

Known to archives as ``ts.torch_handler.densenet_handler``.
Invariant: exactly one class here; what clients send is never read but as weights.
"""

import io
import os
import time
from typing import Any

import torch

from wfctl.handlers.devices import choose_device
from wfctl.handlers.loading.weights import load_eager, load_torchscript
from wfctl.handlers.unloadable import UnloadableModelError


class DenseNetHandler:
    """Run a model on tensors; as in the original, one tensor answers a whole batch, so batches of one work."""

    def __init__(self) -> None:
        self.model: Any = None
        self.device: torch.device | None = None
        self.initialized = False
        self.context: Any = None
        self.manifest: Any = None
        self.map_location: str | None = None

    def initialize(self, context: Any) -> None:
        """Choose the device and load the weights from the model's folder."""
        self.context = context
        self.manifest = context.manifest
        properties = context.system_properties
        self.map_location, self.device = choose_device(properties.get("gpu_id"))
        model_dir, names = properties.get("model_dir"), self.manifest["model"]
        path = os.path.join(model_dir, names.get("serializedFile") or "")  # noqa: PTH118 - plain text
        if not os.path.isfile(path):  # noqa: PTH113
            raise UnloadableModelError("No model weights could be loaded: those of the manifest are not in the archive")
        if model_file := names.get("modelFile"):
            self.model = self._load_pickled_model(model_dir, model_file, path)
        else:
            self.model = self._load_torchscript_model(path)
        self.model.to(self.device)
        self.model.eval()
        self.initialized = True

    def _load_torchscript_model(self, model_pt_path: str) -> Any:
        return load_torchscript(model_pt_path, self.device)

    def _load_pickled_model(self, model_dir: str, model_file: str, model_pt_path: str) -> Any:
        is_trusted = bool(getattr(self.context, "is_trusted", True))
        return load_eager(model_dir, model_file, model_pt_path, self.device, is_trusted=is_trusted)

    def inference(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what the model says, without keeping what training would need."""
        with torch.no_grad():
            return self.model(data.to(self.device), *args, **kwargs)

    def handle(self, data: Any, context: Any) -> Any:
        """Answer one batch."""
        started = time.perf_counter()
        self.context = context
        rows = [row.get("data") or row.get("body") for row in data]
        tensors = [torch.load(io.BytesIO(row), map_location=self.device, weights_only=True) for row in rows]
        answer = self.inference(torch.stack(tensors))
        context.metrics.add_time("HandlerTime", round((time.perf_counter() - started) * 1000, 2), None, "ms")
        return [answer]
