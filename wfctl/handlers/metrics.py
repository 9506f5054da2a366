"""What a handler reports of itself by ``context.metrics``: counted, timed and sized, and kept for whoever asks.

Invariant: memory does not grow with the number of reports; labels of one report never reach another.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_TIME_UNITS = {"ms": "Milliseconds", "s": "Seconds"}
_SIZE_UNITS = {"MB": "Megabytes", "kB": "Kilobytes", "GB": "Gigabytes", "B": "Bytes"}


class Metric:
    """One named figure of a handler: the sum of a counter, the last value of anything else."""

    def __init__(self, name: str, unit: str, *, is_counter: bool) -> None:
        self.name = name
        self.unit = unit
        self.is_counter = is_counter
        self.value = 0.0

    def update(self, value: float, request_id: str = "", dimensions: Sequence[Any] = ()) -> None:  # noqa: ARG002
        """Take one more report."""
        if not isinstance(value, int | float):
            raise TypeError(f'metric "{self.name}" takes numbers, not {type(value).__name__}')
        self.value = self.value + value if self.is_counter else float(value)

    def add_or_update(self, value: float, dimension_values: Sequence[str] = (), request_id: str = "") -> None:
        """Take one more report, labels by their values."""
        self.update(value, request_id, dimension_values)


class MetricsRecorder:
    """The object handlers know as ``context.metrics``."""

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name
        self.request_ids: Mapping[int, str] = {}
        self.cache: dict[str, Metric] = {}

    def set_request_ids(self, request_ids: Mapping[int, str]) -> None:
        """Take the ids of the batch at hand."""
        self.request_ids = request_ids

    def add_counter(self, name: str, value: float, idx: int | None = None, dimensions: Sequence[Any] = ()) -> None:
        """Add to a counter."""
        self.add_metric(name, value, "count", idx, dimensions, "counter")

    def add_time(  # noqa: PLR0917 - the signature handlers know
        self,
        name: str,
        value: float,
        idx: int | None = None,
        unit: str = "ms",
        dimensions: Sequence[Any] = (),
        metric_type: Any = "gauge",
    ) -> None:
        """Report a time in ``ms`` or ``s``."""
        self.add_metric(name, value, _unit(unit, _TIME_UNITS), idx, dimensions, metric_type)

    def add_size(  # noqa: PLR0917 - the signature handlers know
        self,
        name: str,
        value: float,
        idx: int | None = None,
        unit: str = "MB",
        dimensions: Sequence[Any] = (),
        metric_type: Any = "gauge",
    ) -> None:
        """Report a size in ``MB``, ``kB``, ``GB`` or ``B``."""
        self.add_metric(name, value, _unit(unit, _SIZE_UNITS), idx, dimensions, metric_type)

    def add_percent(
        self,
        name: str,
        value: float,
        idx: int | None = None,
        dimensions: Sequence[Any] = (),
        metric_type: Any = "gauge",
    ) -> None:
        """Report a share of a hundred."""
        self.add_metric(name, value, "percent", idx, dimensions, metric_type)

    def add_error(self, name: str, value: float, dimensions: Sequence[Any] = ()) -> None:
        """Count errors."""
        self.add_metric(name, value, "", None, dimensions, "counter")

    def add_metric(  # noqa: PLR0917 - the signature handlers know
        self,
        name: str,
        value: float,
        unit: str,
        idx: int | None = None,  # noqa: ARG002 - handlers pass the place of the request in the batch
        dimensions: Sequence[Any] = (),
        metric_type: Any = "counter",
    ) -> None:
        """Report any figure."""
        self.add_metric_to_cache(name, unit, (), metric_type).update(value, "", dimensions)

    def add_metric_to_cache(
        self,
        metric_name: str,
        unit: str = "",
        dimension_names: Sequence[str] = (),  # noqa: ARG002 - labels are not kept yet
        metric_type: Any = "counter",
    ) -> Metric:
        """Return the figure of that name, made if it is new."""
        is_counter = str(getattr(metric_type, "value", metric_type)).lower() == "counter"
        return self.cache.setdefault(metric_name, Metric(metric_name, unit, is_counter=is_counter))

    def get_metric(self, metric_name: str, metric_type: Any = "counter") -> Metric:  # noqa: ARG002
        """Return a figure reported before."""
        return self.cache[metric_name]


def _unit(unit: str, known: Mapping[str, str]) -> str:
    if unit not in known:
        raise ValueError(f'unknown unit "{unit}"; known are {", ".join(known)}')
    return known[unit]
