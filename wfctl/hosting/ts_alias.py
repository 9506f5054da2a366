"""The import names of TorchServe's own Python package, answered by ours.

Handlers in archives write ``from ts.torch_handler.base_handler import BaseHandler``; they must run unmodified and
without TorchServe. Modules of ours are handed out as they are (one class, one identity under both names); the
others are made here from a table.
Invariant: asked only for ``ts`` and below; imports torch only if the handler asks for something that needs it.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

BUILT_IN_HANDLERS = (
    "base_handler",
    "vision_handler",
    "image_classifier",
    "image_segmenter",
    "object_detector",
    "text_handler",
    "text_classifier",
    "densenet_handler",
)

_PACKAGES = frozenset({"ts", "ts.torch_handler", "ts.utils", "ts.handler_utils", "ts.metrics"})

_OURS: Mapping[str, str] = {
    "ts.torch_handler.base_handler": "wfctl.handlers.base_handler",
    "ts.torch_handler.contractions": "wfctl.handlers.contractions",
    "ts.torch_handler.densenet_handler": "wfctl.handlers.densenet_handler",
    "ts.torch_handler.image_classifier": "wfctl.handlers.image_classifier",
    "ts.torch_handler.image_segmenter": "wfctl.handlers.image_segmenter",
    "ts.torch_handler.object_detector": "wfctl.handlers.object_detector",
    "ts.torch_handler.text_classifier": "wfctl.handlers.text_classifier",
    "ts.torch_handler.text_handler": "wfctl.handlers.text_handler",
    "ts.torch_handler.vision_handler": "wfctl.handlers.vision_handler",
    "ts.handler_utils.text_utils": "wfctl.handlers.text_tokens",
    "ts.context": "wfctl.handlers.context",
    "ts.handler_utils.timer": "wfctl.handlers.timer",
}

_MADE: Mapping[str, Mapping[str, str]] = {
    "ts.service": {"PredictionException": "wfctl.handlers.prediction_exception"},
    "ts.utils.util": {
        "PredictionException": "wfctl.handlers.prediction_exception",
        "list_classes_from_module": "wfctl.handlers.classes",
        "load_label_mapping": "wfctl.handlers.labels",
        "map_class_to_label": "wfctl.handlers.labels",
    },
}

_COMPATIBLE_WITH = "0.12.0"


def install_ts_alias() -> None:
    """Let this interpreter find ``ts``; once is enough, more does no harm."""
    if not any(isinstance(finder, TsFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TsFinder())


class TsFinder(MetaPathFinder):
    """Finds the names below ``ts``, and says which there are when asked for another."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the finder's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return how to load a name below ``ts``; ``None`` for all others."""
        if fullname.partition(".")[0] != "ts":
            return None
        if fullname in _PACKAGES or fullname in _OURS or fullname in _MADE:
            return ModuleSpec(fullname, TsLoader(), is_package=fullname in _PACKAGES)
        supported = ", ".join(sorted({*_OURS, *_MADE}))
        raise ModuleNotFoundError(f'"{fullname}" is not supported by wfctl; supported are {supported}', name=fullname)


class TsLoader(Loader):
    """Fills one module below ``ts``."""

    def exec_module(self, module: ModuleType) -> None:
        """Put our own module in the place of the new one, or fill the new one from the table."""
        name = module.__name__
        if name in _OURS:
            # The import system hands out what stands here after we return.
            sys.modules[name] = import_module(_OURS[name])
        for attribute, source in _MADE.get(name, {}).items():
            setattr(module, attribute, getattr(import_module(source), attribute))
        if name == "ts":
            module.__dict__["__version__"] = _COMPATIBLE_WITH
