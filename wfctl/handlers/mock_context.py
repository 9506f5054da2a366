"""A context for the tests of a handler.

Invariant: holds what its maker says; no requests are behind it.
"""

from pathlib import Path
from typing import Any

from wfctl.handlers.metrics.metrics_store import MetricsStore


class MockContext:
    """Stands for the context while a test initialises a handler."""

    def __init__(  # noqa: PLR0917 - the signature tests know
        self,
        model_pt_file: str | None = "model.pt",
        model_dir: str = "ts/torch_handler/unit_tests/models/tmp",
        model_file: str | None = "model.py",
        gpu_id: str | None = "0",
        model_name: str = "mnist",
        model_yaml_config_file: str | None = None,
    ) -> None:
        names = {"serializedFile": model_pt_file, "modelFile": model_file}
        self.manifest = {"model": {key: name for key, name in names.items() if name}}
        self.system_properties: dict[str, Any] = {"model_dir": model_dir}
        if gpu_id and _has_gpu():
            self.system_properties["gpu_id"] = gpu_id
        self.explain = False
        self.metrics = MetricsStore("mock-request", model_name)
        self.model_yaml_config = _configuration(model_dir, model_yaml_config_file)

    def get_request_header(self, idx: int, exp: str) -> bool:
        """Say whether an explanation is asked for."""
        return bool(idx and exp and self.explain)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _configuration(folder: str, name: str | None) -> dict[str, Any]:
    from wfctl.handlers.configuration import get_yaml_config

    return get_yaml_config(str(Path(folder, name))) if name else {}
