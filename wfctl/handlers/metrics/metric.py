"""A figure as old handlers make it: one value, shown as a line of the log.

Invariant: kept by whoever made it; ``context.metrics`` knows nothing of it.
"""

import json
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from wfctl.handlers.metrics.dimension import Dimension
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.units import UNITS, Units

_log = logging.getLogger(__name__)

MetricUnit = Units()


class Metric:
    """One value with its labels."""

    def __init__(  # noqa: PLR0917 - the signature handlers know
        self,
        name: str,
        value: float,
        unit: str,
        dimensions: Sequence[Dimension],
        request_id: str | None = None,
        metric_method: str | None = None,
    ) -> None:
        self.name = name
        self.value = value
        self.unit = UNITS.get(unit, unit)
        self.dimensions = dimensions
        self.dimension_names = [each.name for each in dimensions]
        self.dimension_values = [each.value for each in dimensions]
        self.request_id = request_id
        self.metric_method = metric_method
        self.metric_type = MetricTypes.COUNTER

    def update(self, value: float) -> None:
        """Take a new value; a metric made with the method ``counter`` adds it."""
        self.value = self.value + value if self.metric_method == "counter" else value

    def reset(self) -> None:
        """Begin at nothing again."""
        self.value = 0

    def __str__(self) -> str:
        labels = ",".join(map(str, self.dimensions))
        line = f"{self.name}.{self.unit}:{self.value}|#{labels}|#hostname:{socket.gethostname()},{int(time.time())}"
        return f"{line},{self.request_id}" if self.request_id else line

    def to_dict(self) -> "OrderedDict[str, Any]":
        """Return the figure as the original's JSON has it."""
        return OrderedDict(
            MetricName=self.name,
            Value=self.value,
            Unit=self.unit,
            Dimensions=self.dimensions,
            Timestamp=int(time.time()),
            HostName=socket.gethostname(),
            RequestId=self.request_id,
        )


class MetricEncoder(json.JSONEncoder):
    """Writes figures and labels as JSON."""

    def default(self, o: Any) -> Any:
        """Return what JSON can hold in place of a figure or a label."""
        return o.to_dict() if isinstance(o, Metric | Dimension) else super().default(o)


def emit_metrics(metrics: Iterable[Any] | None) -> None:
    """Log a line for each figure."""
    for each in metrics or ():
        _log.info("[METRICS]%s", each)
