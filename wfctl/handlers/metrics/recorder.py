"""What a handler reports of itself by ``context.metrics``: counted, timed and sized, and kept for whoever asks.

Labels of a report are copied before ``ModelName`` and ``Level`` join them; the original appends to the caller's list,
so that they leak from call to call.
Invariant: memory does not grow with the number of reports; nothing but a wrong type or unit fails a handler.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wfctl.handlers.metrics.caching_metric import CachingMetric, Counter, Histogram, Labels, number_in
from wfctl.handlers.metrics.metric_errors import MetricsCacheKeyError, MetricsCacheTypeError, MetricsCacheValueError
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.units import SIZE_UNITS, TIME_UNITS

if TYPE_CHECKING:
    from wfctl.handlers.requests import HasRequestIds

PREDICTION_METRIC: Final = "PredictionTime"
"""The time of each call of a handler, in milliseconds; recorded by us."""

_MOST_METRICS: Final = 1000
_COUNTER, _GAUGE = MetricTypes.COUNTER, MetricTypes.GAUGE
_USUAL_LABELS: Final = ("ModelName", "Level")

Dimensions = Sequence[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One figure under one set of labels, as it stands."""

    name: str
    unit: str
    kind: MetricTypes
    labels: Labels
    value: float
    """The sum of a counter or a histogram, the last value of a gauge."""
    buckets: tuple[int, ...] = ()
    """Of a histogram, see ``caching_metric.BOUNDS``."""


class MetricsRecorder:
    """The object handlers know as ``context.metrics``."""

    def __init__(self, model_name: str, requests: "HasRequestIds | None" = None) -> None:
        self.model_name = model_name
        self._requests = requests
        self._request_ids: Mapping[int, str] | None = None
        self.store: list[Any] = []
        self.config_file_path: str | None = None
        self.cache: dict[MetricTypes, dict[str, CachingMetric]] = {}
        """Kind -> name -> figure, as handlers of the original find it."""
        self.dropped = 0
        """Reports of figures beyond the first thousand names; see also ``CachingMetric.dropped``."""
        self._usual: dict[tuple[str, MetricTypes], Counter] = {}
        """Where reports without labels of their own go: they come with every call."""
        for name in ("HandlerTime", PREDICTION_METRIC):
            self.add_metric_to_cache(name, "ms", list(_USUAL_LABELS), _GAUGE)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state.get("model_name") or "")  # type: ignore[misc]  # a pickle of the original has less
        self.__dict__.update(state)

    @property
    def request_ids(self) -> Mapping[int, str] | None:
        """Ids of the batch at hand: as they were set, or else the context's."""
        if self._request_ids is not None or self._requests is None:
            return self._request_ids
        return self._requests.request_ids

    @request_ids.setter
    def request_ids(self, request_ids: Mapping[int, str] | None) -> None:
        self._request_ids = request_ids

    def usual(self, name: str, kind: MetricTypes = _GAUGE) -> Counter | None:
        """Return what takes the reports of a figure that have no labels of their own; ``None`` before the first."""
        return self._usual.get((name, kind))

    def set_request_ids(self, request_ids: Mapping[int, str]) -> None:
        """Take the ids of the batch at hand."""
        self.request_ids = request_ids

    def add_counter(self, name: str, value: Any, idx: int | None = None, dimensions: Dimensions = ()) -> None:  # noqa: ARG002
        """Add to a counter."""
        self._report(name, value, "count", dimensions, _COUNTER)

    def add_time(  # noqa: PLR0917 - the signature handlers know
        self,
        name: str,
        value: Any,
        idx: int | None = None,  # noqa: ARG002
        unit: str = "ms",
        dimensions: Dimensions = (),
        metric_type: MetricTypes = _GAUGE,
    ) -> None:
        """Report a time in ``ms`` or ``s``."""
        if unit not in TIME_UNITS:
            raise _unknown(unit, TIME_UNITS)
        self._report(name, value, unit, dimensions, metric_type)

    def add_size(  # noqa: PLR0917 - the signature handlers know
        self,
        name: str,
        value: Any,
        idx: int | None = None,  # noqa: ARG002
        unit: str = "MB",
        dimensions: Dimensions = (),
        metric_type: MetricTypes = _GAUGE,
    ) -> None:
        """Report a size in ``MB``, ``kB``, ``GB`` or ``B``."""
        if unit not in SIZE_UNITS:
            raise _unknown(unit, SIZE_UNITS)
        self._report(name, value, unit, dimensions, metric_type)

    def add_percent(
        self,
        name: str,
        value: Any,
        idx: int | None = None,  # noqa: ARG002
        dimensions: Dimensions = (),
        metric_type: MetricTypes = _GAUGE,
    ) -> None:
        """Report a share of a hundred."""
        self._report(name, value, "percent", dimensions, metric_type)

    def add_error(self, name: str, value: Any, dimensions: Dimensions = ()) -> None:
        """Count errors."""
        self._report_labelled(name, value, "", _with_defaults(dimensions, (("Level", "Error"),)), _COUNTER)

    def add_metric(  # noqa: PLR0917 - the signature handlers know
        self,
        name: str,
        value: Any,
        unit: str,
        idx: int | None = None,  # noqa: ARG002 - handlers pass the place of the request in the batch
        dimensions: Dimensions = (),
        metric_type: MetricTypes = _COUNTER,
    ) -> None:
        """Report any figure."""
        self._report(name, value, unit, dimensions, metric_type)

    def add_metric_to_cache(
        self,
        metric_name: str,
        unit: str,
        dimension_names: Sequence[str] | None = None,
        metric_type: MetricTypes = _COUNTER,
    ) -> CachingMetric:
        """Return a new figure; one of that name and kind is replaced, and what was reported of it goes on."""
        _check(metric_name, unit, metric_type)
        if dimension_names is not None and not isinstance(dimension_names, list | tuple):
            raise MetricsCacheTypeError(f'the labels of metric "{metric_name}" must be a list of names')
        metric = CachingMetric(metric_name, unit, dimension_names, metric_type)
        of_kind = self.cache.setdefault(metric_type, {})
        if metric_name in of_kind:
            metric.series, metric.dropped = of_kind[metric_name].series, of_kind[metric_name].dropped
            self._usual.pop((metric_name, metric_type), None)
        elif len(of_kind) >= _MOST_METRICS:
            return metric  # works, and is not kept: names made of requests would fill the memory
        of_kind[metric_name] = metric
        return metric

    def get_metric(self, metric_name: str, metric_type: MetricTypes = _COUNTER) -> CachingMetric:
        """Return a figure reported or made before; raises ``MetricsCacheKeyError``."""
        _check(metric_name, "", metric_type)
        found = self.cache.get(metric_type, {}).get(metric_name)
        if found is None:
            raise MetricsCacheKeyError(f'there is no {metric_type.value} metric "{metric_name}"')
        return found

    def initialize_cache(self) -> None:
        """Do nothing: the figures that the original reads from its configuration are there already."""

    def cache_keys(self) -> list[str]:
        """Return kind and name of every figure."""
        return [f"{kind.value}:{name}" for kind, metrics in self.cache.items() for name in metrics]

    def reported(self) -> tuple[Reported, ...]:
        """Return all that was reported, one value for each set of labels."""
        return tuple(
            Reported(
                name=metric.metric_name,
                unit=metric.unit,
                kind=metric.metric_type,
                labels=labels,
                value=series.value,
                buckets=tuple(series.buckets) if isinstance(series, Histogram) else (),
            )
            for metrics in self.cache.values()
            for metric in metrics.values()
            for labels, series in metric.series.items()
        )

    def _report(self, name: str, value: Any, unit: str, dimensions: Dimensions, kind: MetricTypes) -> None:
        if dimensions:
            self._report_labelled(name, value, unit, _with_defaults(dimensions, self._defaults()), kind)
            return
        usual = self._usual.get((name, kind))
        number = number_in(value, name)
        if usual is not None and number >= 0:
            usual.take(number)
            return
        series = self._report_labelled(name, number, unit, dict(self._defaults()), kind)
        if series is not None:
            self._usual[name, kind] = series

    def _defaults(self) -> Labels:
        return ("ModelName", self.model_name), ("Level", "Model")

    def _report_labelled(
        self, name: str, value: Any, unit: str, labels: dict[str, str], kind: MetricTypes
    ) -> Counter | None:
        number = number_in(value, name)
        metric = self.cache.get(kind, {}).get(name)
        if metric is None:
            metric = self.add_metric_to_cache(name, unit, list(labels), kind)
            if name not in self.cache[kind]:
                self.dropped += 1
        names = metric.dimension_names
        if len(names) != len(labels) or not labels.keys() >= set(names):
            metric.drop(f"labels {labels} do not fit the names {names}")
            return None
        return metric.record(number, tuple((each, labels[each]) for each in names))


def _with_defaults(dimensions: Dimensions, defaults: Labels) -> dict[str, str]:
    return {each.name: str(each.value) for each in dimensions or ()} | {
        name: value for name, value in defaults if all(each.name != name for each in dimensions or ())
    }


def _unknown(unit: str, known: Sequence[str]) -> MetricsCacheValueError:
    return MetricsCacheValueError(f'unknown unit "{unit}"; known are {", ".join(known)}')


def _check(name: Any, unit: Any, kind: Any) -> None:
    if not isinstance(name, str):
        raise MetricsCacheTypeError(f"the name of a metric must be text, not {type(name).__name__}")
    if not isinstance(unit, str):
        raise MetricsCacheTypeError(f'the unit of metric "{name}" must be text, not {type(unit).__name__}')
    if not isinstance(kind, MetricTypes):
        raise MetricsCacheTypeError(f'the type of metric "{name}" must be one of MetricTypes, not "{kind}"')


MetricsCacheYamlImpl = MetricsRecorder
"""The name under which handlers of the original know the class."""
