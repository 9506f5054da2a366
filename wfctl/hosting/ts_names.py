"""Which import names of TorchServe's own Python package we answer, and with what.

Invariant: names only; nothing is imported to know them.
"""

from collections.abc import Mapping
from typing import Final

_HANDLERS: Final = "wfctl.handlers"

_PLACES: Final[Mapping[str, str]] = {
    "base_handler": _HANDLERS,
    "vision_handler": f"{_HANDLERS}.vision",
    "image_classifier": f"{_HANDLERS}.vision",
    "image_segmenter": f"{_HANDLERS}.vision",
    "object_detector": f"{_HANDLERS}.vision",
    "text_handler": f"{_HANDLERS}.text",
    "text_classifier": f"{_HANDLERS}.text",
    "densenet_handler": _HANDLERS,
}
"""Built-in handler -> the package of ours that has it."""

BUILT_IN_HANDLERS: Final = tuple(_PLACES)
"""What a manifest may name without a file in the archive."""

FOR_PICTURES: Final = frozenset(name for name, package in _PLACES.items() if package == f"{_HANDLERS}.vision")
"""Those of them that need the libraries for pictures."""

FOR_TEXTS: Final = frozenset(name for name, package in _PLACES.items() if package == f"{_HANDLERS}.text")
"""Those of them that need a vocabulary."""

ENVELOPES: Final = ("body", "json", "kserve", "kservev2")
"""What may be put around a handler by its name alone."""

OURS: Final[Mapping[str, str]] = {
    **{f"ts.torch_handler.{name}": f"{package}.{name}" for name, package in _PLACES.items()},
    **{f"ts.torch_handler.request_envelope.{name}": f"{_HANDLERS}.envelopes.{name}" for name in ("base", *ENVELOPES)},
    "ts.torch_handler.unit_tests.test_utils.mock_context": f"{_HANDLERS}.mock_context",
    "ts.torch_handler.contractions": f"{_HANDLERS}.text.contractions",
    "ts.context": f"{_HANDLERS}.context",
    "ts.handler_utils.text_utils": f"{_HANDLERS}.text.text_tokens",
    "ts.handler_utils.timer": f"{_HANDLERS}.timer",
    "ts.handler_utils.micro_batching": f"{_HANDLERS}.micro_batching",
    "ts.metrics.caching_metric": f"{_HANDLERS}.metrics.caching_metric",
    "ts.metrics.dimension": f"{_HANDLERS}.metrics.dimension",
    "ts.metrics.metric": f"{_HANDLERS}.metrics.metric",
    "ts.metrics.metric_cache_errors": f"{_HANDLERS}.metrics.metric_errors",
    "ts.metrics.metric_type_enum": f"{_HANDLERS}.metrics.metric_types",
    "ts.metrics.metrics_store": f"{_HANDLERS}.metrics.metrics_store",
    "ts.metrics.process_memory_metric": f"{_HANDLERS}.metrics.process_memory",
    "ts.metrics.system_metrics": f"{_HANDLERS}.metrics.system_metrics",
    "ts.metrics.unit": f"{_HANDLERS}.metrics.units",
}
"""Module of theirs -> module of ours; both names lead to the same object."""

MADE: Final[Mapping[str, Mapping[str, str]]] = {
    "ts.service": {
        "PredictionException": f"{_HANDLERS}.prediction_exception",
        "Context": f"{_HANDLERS}.context",
        "RequestProcessor": f"{_HANDLERS}.context",
        "PREDICTION_METRIC": f"{_HANDLERS}.metrics.recorder",
        "emit_metrics": f"{_HANDLERS}.metrics.metric",
        "get_yaml_config": f"{_HANDLERS}.configuration",
    },
    "ts.utils.util": {
        "PredictionException": f"{_HANDLERS}.prediction_exception",
        "list_classes_from_module": f"{_HANDLERS}.classes",
        "load_label_mapping": f"{_HANDLERS}.labels",
        "map_class_to_label": f"{_HANDLERS}.labels",
        "get_yaml_config": f"{_HANDLERS}.configuration",
        "check_valid_pt2_backend": f"{_HANDLERS}.loading.pt2_backends",
        "PT2Backend": f"{_HANDLERS}.loading.pt2_backends",
        "CLEANUP_REGEX": f"{_HANDLERS}.text.markup",
        "deprecated": f"{_HANDLERS}.deprecation",
    },
    "ts.handler_utils.utils": {
        "import_class": f"{_HANDLERS}.classes",
        "send_intermediate_predict_response": f"{_HANDLERS}.streaming",
    },
    "ts.protocol.otf_message_handler": {"send_intermediate_predict_response": f"{_HANDLERS}.streaming"},
    "ts.metrics.metric_encoder": {"MetricEncoder": f"{_HANDLERS}.metrics.metric"},
    "ts.metrics.metric_cache_yaml_impl": {"MetricsCacheYamlImpl": f"{_HANDLERS}.metrics.recorder"},
    "ts.version": {"__version__": f"{_HANDLERS}.version"},
    "ts": {"__version__": f"{_HANDLERS}.version"},
}
"""Module of theirs -> its names, each with the module of ours that has it."""

PACKAGES: Final = frozenset(
    {
        "ts",
        "ts.handler_utils",
        "ts.handler_utils.distributed",
        "ts.handler_utils.preprocess",
        "ts.metrics",
        "ts.protocol",
        "ts.torch_handler",
        "ts.torch_handler.distributed",
        "ts.torch_handler.request_envelope",
        "ts.torch_handler.unit_tests",
        "ts.torch_handler.unit_tests.test_utils",
        "ts.utils",
    }
)
"""Those with something below them; where we have nothing there, they are here so that the whole name is asked for."""

MODULES: Final = frozenset({*OURS, *MADE, *PACKAGES})
