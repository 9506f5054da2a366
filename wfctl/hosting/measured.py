"""What a handler measured, read out of the recorder that its context holds.

Handlers can put anything there, change it in threads of their own, and replace the recorder itself. Invariant: what is
returned holds plain text and numbers only, and has a bound; what cannot be told is counted.
"""

from typing import Any, Final

from wfctl.handlers.metrics.caching_metric import BOUNDS, CachingMetric, Counter, Histogram, Labels
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.recorder import MetricsRecorder, Reported

_LONGEST_TEXT: Final = 1000
_MOST_LABELS: Final = 32
_NUMBERS: Final = (float, int)
"""Not classes made of them, whose methods are the handler's."""


def read_measured(metrics: Any, most: int) -> tuple[list[Reported], int]:
    """Return at most so many figures, each under one set of labels, and how many more there are."""
    found: list[Reported] = []
    left_out = 0
    if not isinstance(metrics, MetricsRecorder):
        return found, left_out
    # Copies, which are made in one step: a thread of the handler may report meanwhile.
    for figures in list(metrics.cache.values()):
        kept: list[Any] = list(figures.values())
        for figure in kept:
            ours = figure.series if isinstance(figure, CachingMetric) else {}
            for labels, series in list(ours.items()):
                told = _told(figure, labels, series) if len(found) < most else None
                if told is None:
                    left_out += 1
                else:
                    found.append(told)
    return found, left_out


def _told(figure: CachingMetric, labels: Any, series: Any) -> Reported | None:
    """Return one figure under one set of labels, ``None`` if it is not what it should be."""
    try:
        if len(labels) > _MOST_LABELS or not isinstance(series, Counter) or type(series.value) not in _NUMBERS:
            return None
        kind = MetricTypes(figure.metric_type)
        return Reported(
            name=_plain(figure.metric_name),
            unit=_plain(figure.unit),
            kind=kind,
            labels=_plain_labels(labels),
            value=float(series.value),
            buckets=_counts(series) if kind is MetricTypes.HISTOGRAM else (),
        )
    except (TypeError, ValueError, OverflowError, AttributeError):
        return None


def _plain_labels(labels: Any) -> Labels:
    return tuple((_plain(name), _plain(value)) for name, value in labels)


def _plain(text: Any) -> str:
    """Return text as it is, without what a class of the handler's own makes of it; raises ``TypeError`` for others."""
    plain = str.__str__(text)
    if len(plain) > _LONGEST_TEXT:
        raise ValueError("too long")
    return plain


def _counts(series: Counter) -> tuple[int, ...]:
    if not isinstance(series, Histogram) or len(series.buckets) != len(BOUNDS) + 1:
        raise TypeError("no histogram")
    if any(type(count) is not int for count in series.buckets):
        raise TypeError("no counts")
    return tuple(series.buckets)
