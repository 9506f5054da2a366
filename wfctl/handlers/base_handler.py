"""The handler that others are built on: weights loaded, tensors in, lists out.

Known to archives as ``ts.torch_handler.base_handler``.
Invariant: exactly one class here; what a subclass overrides is called in the order initialize, then per batch
preprocess, inference, postprocess.
"""

import os
import time
from typing import Any

import torch

from wfctl.handlers.context import Context
from wfctl.handlers.labels import load_label_mapping
from wfctl.handlers.weights import load_eager, load_torchscript


class BaseHandler:
    """Load a model once and answer batches with it."""

    def __init__(self) -> None:
        self.model: Any = None
        self.mapping: dict[str, Any] = {}
        self.device: torch.device | None = None
        self.initialized = False
        self.context: Any = None
        self.model_pt_path: str | None = None
        self.manifest: Any = None
        self.map_location: str | None = None
        self.explain = False
        self.target: Any = 0
        self.profiler_args: dict[str, Any] = {}
        self.model_yaml_config: dict[str, Any] = {}

    def initialize(self, context: Context) -> None:
        """Choose the device and load weights and class names from the model's folder."""
        self.context = context
        self.manifest = context.manifest
        self.model_yaml_config = context.model_yaml_config or {}
        properties = context.system_properties
        self.map_location, self.device = _device_for(properties.get("gpu_id"))
        model_dir = properties["model_dir"]
        self.model = self._loaded(model_dir, (self.manifest or {}).get("model") or {})
        self.mapping = load_label_mapping(os.path.join(model_dir, "index_to_name.json"))  # noqa: PTH118 - plain text
        self.initialized = True

    def _loaded(self, model_dir: str, names: dict[str, Any]) -> Any:
        weights = names.get("serializedFile")
        self.model_pt_path = os.path.join(model_dir, weights) if weights else None  # noqa: PTH118
        if model_file := names.get("modelFile"):
            model = self._load_pickled_model(model_dir, model_file, self.model_pt_path)
            return model.to(self.device).eval()
        if self.model_pt_path and self.model_pt_path.endswith(".pt"):
            return self._load_torchscript_model(self.model_pt_path).eval()
        raise RuntimeError(
            "No model weights could be loaded: the manifest names "
            + (f'"{weights}", which is no TorchScript file (.pt), and no model file' if weights else "none")
        )

    def _load_torchscript_model(self, model_pt_path: str) -> Any:
        return load_torchscript(model_pt_path, self.device)

    def _load_pickled_model(self, model_dir: str, model_file: str, model_pt_path: str | None) -> Any:
        return load_eager(model_dir, model_file, model_pt_path, self.map_location)

    def preprocess(self, data: Any) -> Any:
        """Return the batch as a tensor."""
        return torch.as_tensor(data, device=self.device)

    def inference(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what the model says, without keeping what training would need."""
        with torch.inference_mode():
            return self.model(data.to(self.device), *args, **kwargs)

    def postprocess(self, data: Any) -> Any:
        """Return one item per request."""
        return data.tolist()

    def handle(self, data: Any, context: Context) -> Any:
        """Answer one batch."""
        started = time.perf_counter()
        self.context = context
        if self._is_describe():
            return [self.describe_handle()]
        ready = self.preprocess(data)
        answers = self.explain_handle(ready, data) if self._is_explain() else self.postprocess(self.inference(ready))
        context.metrics.add_time("HandlerTime", round((time.perf_counter() - started) * 1000, 2), None, "ms")
        return answers

    def explain_handle(self, data_preprocess: Any, raw_data: Any) -> Any:
        """Return what moved the model; ``get_insights`` is the subclass's to write."""
        inputs = raw_data[0].get("data") or raw_data[0].get("body") if raw_data else None
        target = inputs.get("target", 0) if isinstance(inputs, dict) else 0
        get_insights = getattr(self, "get_insights", None)
        if get_insights is None:
            raise NotImplementedError("the handler has no get_insights(tensor, inputs, target), so it cannot explain")
        return get_insights(data_preprocess, inputs, target)

    def describe_handle(self) -> Any:
        """Return what the handler says of itself; nothing unless a subclass does."""
        return None

    def _is_explain(self) -> bool:
        return self._asks_for("explain")

    def _is_describe(self) -> bool:
        return self._asks_for("describe")

    def _asks_for(self, header: str) -> bool:
        asked = bool(self.context) and bool(self.context.get_all_request_header(0).get(header) == "True")
        if header == "explain":
            self.explain = asked
        return asked


def _device_for(gpu_id: int | None) -> tuple[str, torch.device]:
    if torch.cuda.is_available() and gpu_id is not None:
        return "cuda", torch.device(f"cuda:{gpu_id}")
    for kind in ("xpu", "mps"):
        family = getattr(torch, kind, None) or getattr(torch.backends, kind, None)
        if gpu_id is not None and family is not None and family.is_available():
            return kind, torch.device(kind)
    return "cpu", torch.device("cpu")
