"""The handler that others are built on: weights loaded, tensors in, lists out.

Known to archives as ``ts.torch_handler.base_handler``. What is chosen by the suffix of the weights where the original
knows ``.pt``, ``.onnx`` and ``.so`` only: here also ``.pt2``, an exported program or a package of AOTInductor.
Invariant: exactly one class here, whose attributes and methods are the original's and no more: any other name is a
subclass's to use. What a subclass overrides is called in the order initialize, then per batch preprocess, inference,
postprocess.
"""

import abc
import logging
import os
import time
from typing import Any

import torch

from wfctl.handlers.devices import choose_device
from wfctl.handlers.labels import NAMES_FILE, load_label_mapping
from wfctl.handlers.loading.exported import load_pt2, load_shared_object
from wfctl.handlers.loading.onnx_session import is_session, load_onnx, run_session
from wfctl.handlers.loading.pt2 import compile_options, compiled, is_aot_compiled
from wfctl.handlers.loading.weights import load_eager, load_torchscript, require
from wfctl.handlers.profiling import default_arguments, profiled, trace_writer
from wfctl.handlers.timer import timed
from wfctl.handlers.unloadable import UnloadableModelError

_log = logging.getLogger(__name__)


class BaseHandler(abc.ABC):  # noqa: B024 - nothing is left abstract; subclasses of the original count on the kind
    """Load a model once and answer batches with it."""

    def __init__(self) -> None:
        self.model: Any = None
        self.mapping: dict[str, Any] | None = None
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

    def initialize(self, context: Any) -> None:
        """Choose the device and load weights and class names from the model's folder."""
        self.context = context
        self.model_yaml_config = getattr(context, "model_yaml_config", None) or {}
        self.manifest = context.manifest
        properties = context.system_properties
        self.map_location, self.device = choose_device(properties.get("gpu_id"))
        model_dir = properties.get("model_dir")
        described = (self.manifest or {}).get("model") or {}
        weights = described.get("serializedFile")
        self.model_pt_path = os.path.join(model_dir, weights) if weights else None  # noqa: PTH118 - plain text
        if model_file := described.get("modelFile"):
            self.model = self._load_pickled_model(model_dir, model_file, self.model_pt_path)
            self.model.to(self.device)
            self.model.eval()
        else:
            self.model = _by_suffix(self, self.model_pt_path)
        options = compile_options(self.model_yaml_config)
        if options is not None:
            self.model = compiled(self.model, options)
        # Without a word where there are none: most models have nothing to name, and who does says so.
        names_path = os.path.join(model_dir, NAMES_FILE)  # noqa: PTH118
        self.mapping = load_label_mapping(names_path) if os.path.isfile(names_path) else None  # noqa: PTH113
        self.initialized = True

    def _load_torchscript_model(self, model_pt_path: str) -> Any:
        return load_torchscript(model_pt_path, self.device)

    def _load_pickled_model(self, model_dir: str, model_file: str, model_pt_path: str | None) -> Any:
        return load_eager(
            model_dir,
            model_file,
            model_pt_path,
            None if self.map_location is None else self.device,
            is_trusted=_is_trusted(self),
        )

    def _load_torch_export_aot_compile(self, model_so_path: str) -> Any:
        return load_shared_object(model_so_path, self.map_location, self.device, is_trusted=_is_trusted(self))

    def _use_torch_export_aot_compile(self) -> bool:
        return is_aot_compiled(getattr(self, "model_yaml_config", None) or {})

    @timed
    def preprocess(self, data: Any) -> Any:
        """Return the batch as a tensor."""
        return torch.as_tensor(data, device=self.device)

    @timed
    def inference(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what the model says, without keeping what training would need."""
        with torch.inference_mode():
            moved = data.to(self.device)
            if is_session(self.model):
                return run_session(self.model, (moved, *args), self.device)
            return self.model(moved, *args, **kwargs)

    @timed
    def postprocess(self, data: Any) -> Any:
        """Return one item per request."""
        return data.tolist()

    def handle(self, data: Any, context: Any) -> Any:
        """Answer one batch."""
        started = time.perf_counter()
        self.context = context
        if self._is_describe():
            answers: Any = [self.describe_handle()]
        elif os.environ.get("ENABLE_TORCH_PROFILER"):
            answers, _ = self._infer_with_profiler(data=data)
        else:
            ready = self.preprocess(data)
            if self._is_explain():
                answers = self.explain_handle(ready, data)
            else:
                answers = self.postprocess(self.inference(ready))
        context.metrics.add_time("HandlerTime", round((time.perf_counter() - started) * 1000, 2), None, "ms")
        return answers

    def _infer_with_profiler(self, data: Any) -> tuple[Any, Any]:
        if not self.profiler_args:
            self.profiler_args = default_arguments()
        if "on_trace_ready" not in self.profiler_args:
            self.profiler_args["on_trace_ready"] = trace_writer(self.manifest or self.context.manifest)
        return profiled(self, data, is_explain=self._is_explain)

    def explain_handle(self, data_preprocess: Any, raw_data: Any) -> Any:
        """Return what moved the model; ``get_insights`` is the subclass's to write."""
        get_insights = getattr(self, "get_insights", None)
        if get_insights is None:
            raise NotImplementedError("the handler has no get_insights(tensor, inputs, target), so it cannot explain")
        row = raw_data[0] if raw_data else None
        if not isinstance(row, dict):
            return get_insights(data_preprocess, None, 0)
        return get_insights(data_preprocess, row.get("data") or row.get("body"), row.get("target") or 0)

    def describe_handle(self) -> Any:
        """Return what the handler says of itself; nothing unless a subclass does."""
        return None

    def _is_explain(self) -> bool:
        self.explain = _asks_for(self.context, "explain")
        return self.explain

    def _is_describe(self) -> bool:
        return _asks_for(self.context, "describe")

    def get_device(self) -> torch.device | None:
        """Return where the model computes."""
        return self.device


def _by_suffix(handler: BaseHandler, path: str | None) -> Any:
    """Load weights that are a model by themselves."""
    suffix = os.path.splitext(path)[1] if path else ""  # noqa: PTH122 - plain text
    match path, suffix:
        case str(), ".pt":
            model = handler._load_torchscript_model(path)  # noqa: SLF001 - the hooks of the class above
            model.eval()
            return model
        case str(), ".onnx":
            require(path)
            return load_onnx(path, handler.map_location)
        case str(), ".so" if handler._use_torch_export_aot_compile():  # noqa: SLF001
            return handler._load_torch_export_aot_compile(path)  # noqa: SLF001
        case str(), ".pt2":
            require(path)
            return load_pt2(path, handler.device, is_trusted=_is_trusted(handler))
        case _:
            raise UnloadableModelError(f"No model weights could be loaded: {_what_was_there(path, suffix)}")


def _what_was_there(path: str | None, suffix: str) -> str:
    if path is None:
        return "the manifest names neither weights (serializedFile) nor a model file (modelFile)"
    name = os.path.basename(path)  # noqa: PTH119
    if suffix == ".so":
        return (
            f'"{name}" is a library, which the configuration must announce by "pt2: {{export: {{aot_compile: true}}}}"'
        )
    return f'the manifest names "{name}" and no model file; by themselves .pt, .pt2, .onnx and .so can be loaded'


def _is_trusted(handler: BaseHandler) -> bool:
    """Say whether pickles may be read in full; contexts of others do not know, and those who make them do."""
    context = getattr(handler, "context", None)
    if context is not None:
        return bool(getattr(context, "is_trusted", True))
    # A subclass that initialises itself need not set the context; torch itself has been told then.
    return os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD") in {"1", "y", "yes", "true"}


def _asks_for(context: Any, header: str) -> bool:
    return bool(context) and context.get_request_header(0, header) == "True"
