"""What the handlers of one node measured, all of its workers together.

Workers say what they have since their start. Invariant: a counter never falls, whatever becomes of workers; memory has
a bound in series, whatever handlers name.
"""

from collections.abc import Callable
from typing import Final

from wfctl.engine.measured import Measured
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.web.watch.handler_series import Key, Series, added, fit_series, grown, is_same, merged

MOST_SERIES: Final = 1000
"""Of one node."""
_MOST_WORKERS: Final = 4096
"""Of one node whose last words are remembered; a worker that could not say that it ends stays among them."""


class _Heard:
    """What one worker has told."""

    __slots__ = ("left_out", "series")

    def __init__(self) -> None:
        self.series: dict[Key, Series] = {}
        """As it was told last; a worker may leave a series out once, and tell it again."""
        self.left_out = 0
        """The most that were left out at once."""


class NodeFigures:
    """The series of one node."""

    def __init__(self, model: str, may_have: Callable[[Series], bool]) -> None:
        """``model`` is the node's name as a model; ``may_have`` says whether the name of a series is free for it."""
        self._model = model
        self._may_have = may_have
        self.series: dict[Key, Series] = {}
        """Sums of counters and histograms over all workers that there were, and the newest values of gauges."""
        self.dropped = 0
        """Series that were left out, by each worker or here."""
        self._heard: dict[int, _Heard] = {}
        """By process of a worker."""

    def take(self, pid: int, measured: Measured) -> None:
        """Take what a worker told."""
        heard = self._heard.setdefault(pid, _Heard())
        fit = [each for each in (fit_series(reported, self._model) for reported in measured.series) if each]
        left_out = measured.left_out + len(measured.series) - len(fit)
        for key, told in merged(fit).items():
            if not self._has_room_for(told):
                left_out += 1
                continue
            self.series[key] = self._total(told, heard.series.get(key))
            heard.series[key] = told
        self.dropped += max(0, left_out - heard.left_out)
        heard.left_out = max(left_out, heard.left_out)
        if measured.is_last:
            self.forget(pid)
        elif len(self._heard) > _MOST_WORKERS:
            self.forget(next(iter(self._heard)))

    def forget(self, pid: int) -> None:
        """Learn that a worker is gone, or that its number is another's now; what it counted stays."""
        self._heard.pop(pid, None)

    def _has_room_for(self, told: Series) -> bool:
        known = self.series.get(told.key)
        if known is not None:
            return known.kind is told.kind
        return len(self.series) < MOST_SERIES and self._may_have(told)

    def _total(self, told: Series, before: Series | None) -> Series:
        total = self.series.get(told.key)
        if total is not None and before is not None and is_same(before, told):
            return total  # so that a worker with nothing to do, which tells its old gauges again, hides no newer ones
        if told.kind is MetricTypes.GAUGE:
            return told
        growth = told if before is None else grown(before, told)
        return growth if total is None else added(total, growth)
