"""The recorder of metrics as it was made before there was ``context.metrics``.

Invariant: no behaviour of its own.
"""

from collections.abc import Mapping
from typing import Any

from wfctl.handlers.metrics.recorder import MetricsRecorder


class MetricsStore(MetricsRecorder):
    """What handlers make for themselves, in tests mostly."""

    def __init__(self, request_ids: Mapping[int, str] | Any, model_name: str) -> None:
        super().__init__(model_name)
        self.request_ids = request_ids
