"""One figure of a handler: what was reported under each set of labels.

Invariant: memory does not grow with the number of reports, and has a bound in the number of label sets; a report that
cannot be kept is logged and counted, and never fails the handler.
"""

import logging
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final

from wfctl.handlers.metrics.metric_errors import MetricsCacheTypeError
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.units import UNITS

_log = logging.getLogger(__name__)

Labels = tuple[tuple[str, str], ...]

MOST_LABEL_SETS: Final = 1000
"""Of one figure; a handler that labels by request or by user would fill the memory."""

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds of a histogram's buckets, those of the client library that the original uses."""


class Counter:
    """The sum under one set of labels; the other kinds are as short."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def take(self, number: float) -> None:
        """Take one report."""
        self.value += number


class Gauge(Counter):
    """The last value under one set of labels."""

    __slots__ = ()

    def take(self, number: float) -> None:
        """Take one report."""
        self.value = number


class Histogram(Counter):
    """How often what was reported; ``value`` is the sum."""

    __slots__ = ("buckets",)

    def __init__(self) -> None:
        super().__init__()
        self.buckets = [0] * (len(BOUNDS) + 1)
        """Reports up to each bound and above the one before; the last place is for those above all."""

    @property
    def count(self) -> int:
        """How many reports there were."""
        return sum(self.buckets)

    def take(self, number: float) -> None:
        """Take one report."""
        self.value += number
        self.buckets[bisect_left(BOUNDS, number)] += 1


_KINDS = {MetricTypes.COUNTER: Counter, MetricTypes.GAUGE: Gauge, MetricTypes.HISTOGRAM: Histogram}


class CachingMetric:
    """One named figure."""

    def __init__(
        self,
        metric_name: str,
        unit: str,
        dimension_names: Sequence[str] | None = None,
        metric_type: MetricTypes = MetricTypes.COUNTER,
    ) -> None:
        self.metric_name = metric_name
        self.unit = UNITS.get(unit, unit)
        self.dimension_names = list(dimension_names or ())
        self.metric_type = metric_type
        self.series: dict[Labels, Counter] = {}
        """What was reported, by labels."""
        self.dropped = 0
        """Reports that were not kept: a counter told to shrink, labels that do not fit, too many sets of labels."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.series, self.dropped = {}, 0  # a pickle of the original has none
        self.__dict__.update(state)

    def add_or_update(
        self,
        value: Any,
        dimension_values: Sequence[str] | None = (),
        request_id: str = "",  # noqa: ARG002 - handlers pass it
    ) -> None:
        """Take one report; labels by their values, in the order of ``dimension_names``."""
        number = number_in(value, self.metric_name)
        if dimension_values is None or len(dimension_values) != len(self.dimension_names):
            self.drop(f"labels {dimension_values} do not fit the names {self.dimension_names}")
            return
        self.record(number, tuple(zip(self.dimension_names, map(str, dimension_values), strict=True)))

    def update(self, value: Any, request_id: str = "", dimensions: Sequence[Any] = ()) -> None:  # noqa: ARG002
        """Take one report with labels of its own; from then on these are the figure's labels."""
        values = {each.name: str(each.value) for each in dimensions}
        if values.keys() != set(self.dimension_names):
            self.dimension_names = list(values)
        self.record(number_in(value, self.metric_name), tuple((name, values[name]) for name in self.dimension_names))

    def record(self, number: float, labels: Labels) -> Counter | None:
        """Take one report and return what keeps those of these labels; ``None`` if it is not kept."""
        if number < 0 and self.metric_type is MetricTypes.COUNTER:
            self.drop(f"a counter cannot change by {number}")
            return None
        series = self.series.get(labels)
        if series is None:
            if len(self.series) >= MOST_LABEL_SETS:
                self.drop(f"there are {MOST_LABEL_SETS} sets of labels already")
                return None
            series = self.series[labels] = _KINDS[self.metric_type]()
        series.take(number)
        return series

    def drop(self, reason: str) -> None:
        """Count a report that is not kept; each reason is logged, as the original does."""
        self.dropped += 1
        _log.error('metric "%s" was not updated: %s', self.metric_name, reason)


def number_in(value: Any, name: str) -> float:
    """Return a reported value as a number; raises ``TypeError`` for what is none, text above all."""
    if type(value) is float or type(value) is int:
        return value
    try:
        return float(value) if hasattr(type(value), "__float__") else int(value.__index__())
    except (TypeError, ValueError, AttributeError, RuntimeError):
        kind = type(value).__name__
        raise MetricsCacheTypeError(f'metric "{name}" takes numbers, not {kind}') from None
