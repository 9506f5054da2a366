"""One figure of a handler, made fit for Prometheus.

Pure. Handlers name figures and labels as they like. A character that a name cannot have becomes ``_``, and one that
begins with a digit gets a ``_`` in front; a label's name begins with one ``_`` at most, for two are Prometheus' own. A
label that is ours (``Hostname``, a ``ModelName`` of another model, ``le`` of a histogram) becomes ``exported_...``, as
Prometheus itself does it. What cannot be printed in a label's value is written as an escape, and an empty value is no
label. What still has no name, or one label twice, or a sum that is no number, is left out.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from wfctl.handlers.metrics.caching_metric import Labels
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.recorder import Reported
from wfctl.render.text import harmless

MODEL_NAME, HOSTNAME = "ModelName", "Hostname"
_NO_NAME = re.compile(r"[^a-zA-Z0-9_:]")
_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")

Key = tuple[str, Labels]
"""Name and labels, ``Hostname`` not among them; it is that of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One figure under one set of labels, as one worker or all of a node have it."""

    key: Key
    kind: MetricTypes
    unit: str
    value: float
    """The sum of a counter or a histogram, the last value of a gauge."""
    buckets: tuple[int, ...] = ()
    """Of a histogram, each without those below it."""


def fit_series(reported: Reported, model: str) -> Series | None:
    """Return what a worker reported as it is told, ``None`` if it cannot be."""
    name = _fit(_NO_NAME, reported.name)
    labels = _fit_labels(reported, model)
    is_gauge = reported.kind is MetricTypes.GAUGE
    if not name or labels is None or not (is_gauge or isfinite(reported.value)):
        return None
    if min(reported.buckets, default=0) < 0 or (reported.kind is MetricTypes.COUNTER and reported.value < 0):
        return None
    return Series(
        key=(name, labels),
        kind=reported.kind,
        unit=_printable(reported.unit),
        value=reported.value,
        buckets=reported.buckets,
    )


def _fit_labels(reported: Reported, model: str) -> Labels | None:
    ours = {HOSTNAME, "le"} if reported.kind is MetricTypes.HISTOGRAM else {HOSTNAME}
    labels: dict[str, str] = {}
    for raw, value in reported.labels:
        name = _fit(_NO_LABEL, raw)
        if name.startswith("__"):
            name = "_" + name.lstrip("_")
        if name in ours or (name == MODEL_NAME and value != model):
            name = f"exported_{name}"
        if not name or name in labels:
            return None
        labels[name] = _printable(value)
    labels.setdefault(MODEL_NAME, model)
    return tuple((name, value) for name, value in labels.items() if value)


def _fit(unfit: re.Pattern[str], name: str) -> str:
    name = unfit.sub("_", name)
    return f"_{name}" if name[:1].isdigit() else name


def _printable(text: str) -> str:
    return text if text.isprintable() else harmless(text)  # the usual case by far, and a hundred times as fast


def merged(series: Iterable[Series]) -> dict[Key, Series]:
    """Return series by their keys: those that became alike are added up, of gauges the last counts."""
    found: dict[Key, Series] = {}
    for each in series:
        before = found.get(each.key)
        if before is not None and before.kind is each.kind and each.kind is not MetricTypes.GAUGE:
            found[each.key] = added(before, each)
        elif before is None or before.kind is each.kind:
            found[each.key] = each
    return found


def added(one: Series, other: Series) -> Series:
    """Return the sum of two counters, or of two histograms."""
    return _combined(one, other, 1)


def is_same(before: Series, after: Series) -> bool:
    """Whether nothing was reported in between."""
    return before.value == after.value and before.buckets == after.buckets


def grown(before: Series, after: Series) -> Series:
    """Return how much a counter or a histogram has grown; one that fell has begun anew, and all of it is growth."""
    fell = any(new < old for new, old in zip(after.buckets, before.buckets, strict=True))
    if fell or (after.kind is MetricTypes.COUNTER and after.value < before.value):
        return after
    return _combined(after, before, -1)


def _combined(one: Series, other: Series, sign: int) -> Series:
    buckets = tuple(here + sign * there for here, there in zip(one.buckets, other.buckets, strict=True))
    value = one.value + sign * other.value
    return Series(key=one.key, kind=one.kind, unit=one.unit, value=value, buckets=buckets)
