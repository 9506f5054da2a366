"""What handlers measure, of all nodes, in the original's text.

The original tells what its configuration lists, and this all there is. Invariant: a name has one type, and none of them
is another's: whose handler says it first has it, and a name of ours or of the original's own metrics is nobody's.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from wfctl.engine.measured import Measured
from wfctl.handlers.metrics.caching_metric import BOUNDS
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.recorder import PREDICTION_METRIC
from wfctl.service.registry import BETWEEN
from wfctl.web.watch.handler_figures import NodeFigures
from wfctl.web.watch.handler_series import HOSTNAME, Series
from wfctl.web.watch.original_metrics import NAMES, head_text, sample_text

_OURS: Final = "wfctl_"
_STANDING: Final = ("HandlerTime", PREDICTION_METRIC)
"""Gauges in milliseconds that the original tells of itself."""
_BOUNDS: Final = (*map(str, BOUNDS), "+Inf")


class HandlerMetrics:
    """Adds up what workers tell."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[str, str], NodeFigures] = {}
        """By workflow and node."""
        self._names: dict[str, tuple[MetricTypes, str]] = {}
        """Name of a metric -> its type and its unit, which whoever came first said."""
        self._taken: dict[str, str] = {}
        """Name of a sample -> the metric it belongs to."""
        self._begin_names()

    def take(self, workflow: str, node: str, pid: int, measured: Measured) -> None:
        """Take what a worker told."""
        figures = self._nodes.get((workflow, node))
        if figures is None:
            figures = self._nodes[workflow, node] = NodeFigures(f"{workflow}{BETWEEN}{node}", self._claim)
        figures.take(pid, measured)

    def worker_gone(self, workflow: str, node: str, pid: int) -> None:
        """Learn that a worker is gone, or that its number is another's now."""
        figures = self._nodes.get((workflow, node))
        if figures is not None:
            figures.forget(pid)

    def forget_gone(self, there: Mapping[str, Collection[str]]) -> None:
        """Drop all but these workflows, with the nodes of each, and free the names that only others had."""
        kept = {at: figures for at, figures in self._nodes.items() if at[1] in there.get(at[0], ())}
        if len(kept) < len(self._nodes):
            self._nodes = kept
            self._begin_names()
            for figures in kept.values():
                for each in figures.series.values():
                    self._claim(each)

    def text(self, hostname: str, wanted: Collection[str] = ()) -> str:
        """Return all metrics; with ``wanted`` only metrics and samples of these names."""
        series: dict[str, list[Series]] = {name: [] for name in self._names}
        for _, figures in sorted(self._nodes.items()):
            for each in figures.series.values():
                series[each.key[0]].append(each)
        texts: list[str] = []
        for name, members in series.items():
            kind, unit = self._names[name]
            samples = [
                sample_text(called, labels | {HOSTNAME: hostname}, value)
                for each in members
                for called, labels, value in _samples(each)
                if not wanted or name in wanted or called in wanted
            ]
            if samples or not wanted or name in wanted:
                texts += [head_text(name, kind.value, unit), *samples]
        return "".join(texts)

    def dropped(self) -> Iterator[tuple[tuple[str, str], int]]:
        """Yield workflow and node, with how many series of it are left out."""
        for at, figures in sorted(self._nodes.items()):
            yield at, figures.dropped

    def _begin_names(self) -> None:
        self._names.clear()
        self._taken.clear()
        for name in _STANDING:
            self._names[name] = MetricTypes.GAUGE, "Milliseconds"
            self._taken[name] = name

    def _claim(self, series: Series) -> bool:
        """Whether a series can have its name, which is its own from then on."""
        name = series.key[0]
        if name in self._names:
            return self._names[name][0] is series.kind
        samples = _sample_names(name, series.kind)
        if name.startswith(_OURS) or any(each in NAMES or each in self._taken for each in samples):
            return False
        self._names[name] = series.kind, series.unit
        self._taken |= dict.fromkeys(samples, name)
        return True


def _sample_names(name: str, kind: MetricTypes) -> tuple[str, ...]:
    if kind is MetricTypes.HISTOGRAM:
        return name, f"{name}_bucket", f"{name}_count", f"{name}_sum"
    return (name,)


def _samples(series: Series) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield the samples of a series: name, labels, value."""
    (name, pairs), total = series.key, 0
    labels = dict(pairs)
    if series.kind is not MetricTypes.HISTOGRAM:
        yield name, labels, series.value
        return
    for bound, count in zip(_BOUNDS, series.buckets, strict=True):
        total += count
        yield f"{name}_bucket", labels | {"le": bound}, total
    yield f"{name}_count", labels, total
    yield f"{name}_sum", labels, series.value
