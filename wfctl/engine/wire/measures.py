"""Frames in which a worker tells what its handler measured.

JSON, figure by figure: ``[left out, [[name, unit, kind, names of labels, [[values of labels, value, *buckets], ...]],
...]]``. Asked for seldom, so that what is easy to read beats what is fast.
Invariant: a frame has a bound; whatever it holds, reading it gives the message or a ``FrameError``.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from wfctl.engine.measured import MOST_BYTES, MOST_SERIES, Measured
from wfctl.engine.wire.frames import Buffer, Frame, FrameError, FrameKind, encode_frame
from wfctl.handlers.metrics.caching_metric import BOUNDS
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.recorder import Reported

_AROUND: Final = 64
"""Bytes of a frame that are no figure's, and of a figure beside its own texts: more than enough."""


def encode_question(*, is_last: bool = False) -> list[Buffer]:
    """Return the frame that asks a worker; ``is_last`` if it is told to end right after it."""
    return encode_frame(FrameKind.MEASURE, int(is_last), b"")


def encode_measured(series: Sequence[Reported], left_out: int = 0, *, is_last: bool = False) -> list[Buffer]:
    """Return the frame of a worker's figures; what does not fit into it is counted there as left out."""
    room = MOST_BYTES - _AROUND
    figures: list[str] = []
    for (name, unit, kind, names), members in groupby(series, key=_figure):
        head = json.dumps([name, unit, kind.value, names])[1:-1]
        rows: list[str] = []
        for each in members:
            row = json.dumps([[value for _, value in each.labels], each.value, *each.buckets])
            needed = len(row) + 2 + (0 if rows else len(head) + _AROUND)
            if needed > room:
                left_out += 1
                continue
            room -= needed
            rows.append(row)
        if rows:
            figures.append(f"[{head}, [{', '.join(rows)}]]")
    text = f"[{left_out}, [{', '.join(figures)}]]"
    return encode_frame(FrameKind.MEASURED, int(is_last), text.encode("ascii"))


def _figure(each: Reported) -> tuple[str, str, MetricTypes, list[str]]:
    return each.name, each.unit, each.kind, [name for name, _ in each.labels]


def decode_measured(frame: Frame) -> Measured:
    """Return what a worker tells of its handler's figures."""
    if frame.meta_size > MOST_BYTES:
        raise FrameError("found more figures than allowed")
    try:
        left_out, figures = json.loads(bytes(frame.content[: frame.meta_size]))
        series = tuple(each for figure in figures for each in _series_in(*figure))
        measured = Measured(series=series, left_out=max(0, int(left_out)), is_last=bool(frame.count))
    except (ValueError, TypeError, OverflowError, RecursionError) as reason:
        raise FrameError(f"found figures that cannot be read: {reason}") from reason
    if len(series) > MOST_SERIES:
        raise FrameError("found more figures than allowed")
    return measured


def _series_in(name: Any, unit: Any, kind: Any, names: Any, rows: Any) -> Iterable[Reported]:
    metric_type = MetricTypes(kind)
    buckets_wanted = len(BOUNDS) + 1 if metric_type is MetricTypes.HISTOGRAM else 0
    for values, value, *buckets in rows:
        if len(buckets) != buckets_wanted:
            raise ValueError("a histogram has others")
        yield Reported(
            name=str(name),
            unit=str(unit),
            kind=metric_type,
            labels=tuple(zip(map(str, names), map(str, values), strict=True)),
            value=float(value),
            buckets=tuple(map(int, buckets)),
        )
