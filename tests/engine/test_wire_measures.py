"""Frames of figures: what was told is read again, a frame has a bound, and no bytes break who reads them."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfctl.engine.measured import MOST_BYTES, MOST_SERIES
from wfctl.engine.wire.frames import Frame, FrameDecoder, FrameError, FrameKind
from wfctl.engine.wire.measures import decode_measured, encode_measured, encode_question
from wfctl.handlers.metrics.caching_metric import BOUNDS
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.recorder import Reported

TEXT = st.text(st.characters(), max_size=20)
FLOATS = st.floats(allow_nan=False)


def series_of(kind):
    size = len(BOUNDS) + 1 if kind is MetricTypes.HISTOGRAM else 0
    return st.builds(
        Reported,
        name=TEXT,
        unit=TEXT,
        kind=st.just(kind),
        labels=st.lists(st.tuples(TEXT, TEXT), max_size=4).map(tuple),
        value=FLOATS,
        buckets=st.lists(st.integers(0, 2**60), min_size=size, max_size=size).map(tuple),
    )


SERIES = st.sampled_from(MetricTypes).flatmap(series_of)


def received(buffers) -> Frame:
    (frame,) = FrameDecoder().feed(b"".join(buffers))
    return frame


@given(st.lists(SERIES, max_size=8), st.integers(0, 2**40), st.booleans())
def test_what_was_told_is_read_again(series, left_out, is_last):
    measured = decode_measured(received(encode_measured(series, left_out, is_last=is_last)))
    assert list(measured.series) == series
    assert (measured.left_out, measured.is_last) == (left_out, is_last)


def one(name, labels=(), value=1.0) -> Reported:
    return Reported(name=name, unit="Count", kind=MetricTypes.COUNTER, labels=labels, value=value)


def test_a_thousand_usual_series_fit_into_a_frame():
    labels = [(("user", f"user-{at:08}"), ("ModelName", "flow__node"), ("Level", "Model")) for at in range(1000)]
    measured = decode_measured(received(encode_measured([one("seen_by_user", each) for each in labels])))
    assert (len(measured.series), measured.left_out) == (1000, 0)


@given(st.lists(st.integers(1, 3000), max_size=300))
def test_a_frame_has_a_bound_and_what_does_not_fit_is_counted(sizes):
    series = [one("é" * (size // 12), ((str(size), "x" * size),)) for size in sizes]
    frame = received(encode_measured(series, 5))
    assert frame.meta_size <= MOST_BYTES
    measured = decode_measured(frame)
    assert len(measured.series) + measured.left_out == len(series) + 5


def test_values_that_json_does_not_know_are_told_too():
    measured = decode_measured(received(encode_measured([one("a", value=float("inf")), one("b", value=float("nan"))])))
    assert str([each.value for each in measured.series]) == "[inf, nan]"


def test_a_question_says_whether_it_is_the_last():
    assert [
        (frame.kind, frame.count) for frame in map(received, (encode_question(), encode_question(is_last=True)))
    ] == [
        (FrameKind.MEASURE, 0),
        (FrameKind.MEASURE, 1),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=3),
)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_whatever_a_frame_holds_reading_it_gives_figures_or_a_fault_of_the_frame(text):
    with suppress(FrameError):
        decode_measured(Frame(FrameKind.MEASURED, 0, len(text), bytearray(text)))


@pytest.mark.parametrize(
    "text",
    [
        '[0, [["a", "Count", "counter", ["x"], [[["1", "2"], 1]]]]]',
        '[0, [["a", "Count", "summary", [], [[[], 1]]]]]',
        '[0, [["a", "Count", "histogram", [], [[[], 1, 2, 3]]]]]',
        f'[0, [["a", "Count", "counter", [], [[[], {10**400}]]]]]',
        "[" * 100_000,
        json.dumps([0, [["a", "Count", "counter", [], [[[], 1]] * (MOST_SERIES + 1)]]]),
        " " * (MOST_BYTES + 1),
    ],
)
def test_figures_that_cannot_be_are_a_fault_of_the_frame(text):
    with pytest.raises(FrameError, match="figures"):
        decode_measured(Frame(FrameKind.MEASURED, 0, len(text), bytearray(text.encode())))
