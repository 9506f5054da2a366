import logging
import sys
from fractions import Fraction

import numpy as np
import pytest

from wfctl.handlers.metrics.caching_metric import MOST_LABEL_SETS
from wfctl.handlers.metrics.dimension import Dimension
from wfctl.handlers.metrics.metric_errors import MetricsCacheKeyError, MetricsCacheTypeError, MetricsCacheValueError
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.metrics_store import MetricsStore
from wfctl.handlers.metrics.recorder import MetricsRecorder

USUAL = (("ModelName", "m"), ("Level", "Model"))


@pytest.fixture
def metrics():
    made = MetricsRecorder("m")
    made.set_request_ids({0: "a", 1: "b"})
    return made


def values(metrics):
    return {(each.name, each.labels): each.value for each in metrics.reported()}


def test_counters_add_up_and_gauges_keep_the_last_value(metrics):
    metrics.add_counter("seen", 2)
    metrics.add_counter("seen", 3, idx=0, dimensions=[])
    metrics.add_time("took", 5, None, "ms")
    metrics.add_time("took", 7)
    metrics.add_size("size", 1, unit="GB")
    metrics.add_percent("share", 50)
    metrics.add_metric("own", 4, "widgets", idx=1)
    metrics.add_metric("level", 4, "widgets", metric_type=MetricTypes.GAUGE)
    assert values(metrics) == {
        (name, USUAL): value
        for name, value in {"seen": 5, "took": 7, "size": 1, "share": 50, "own": 4, "level": 4}.items()
    }


@pytest.mark.parametrize(
    ("report", "unit", "kind"),
    [
        (lambda it: it.add_counter("x", 1), "Count", MetricTypes.COUNTER),
        (lambda it: it.add_time("x", 1), "Milliseconds", MetricTypes.GAUGE),
        (lambda it: it.add_time("x", 1, unit="s"), "Seconds", MetricTypes.GAUGE),
        (lambda it: it.add_size("x", 1), "Megabytes", MetricTypes.GAUGE),
        (lambda it: it.add_size("x", 1, unit="kB"), "Kilobytes", MetricTypes.GAUGE),
        (lambda it: it.add_size("x", 1, 0, "GB"), "Gigabytes", MetricTypes.GAUGE),
        (lambda it: it.add_size("x", 1, None, "B", [], MetricTypes.COUNTER), "Bytes", MetricTypes.COUNTER),
        (lambda it: it.add_percent("x", 1, metric_type=MetricTypes.HISTOGRAM), "Percent", MetricTypes.HISTOGRAM),
        (lambda it: it.add_error("x", 1), "unit", MetricTypes.COUNTER),
        (lambda it: it.add_metric("x", 1, "widgets"), "widgets", MetricTypes.COUNTER),
    ],
)
def test_each_report_has_its_unit_and_kind(metrics, report, unit, kind):
    report(metrics)
    (found,) = metrics.reported()
    assert (found.unit, found.kind) == (unit, kind)
    assert metrics.get_metric("x", kind).unit == unit


def test_labels_of_one_report_never_reach_another(metrics):
    mine = [Dimension("kind", "cat")]
    metrics.add_counter("seen", 1, dimensions=mine)
    metrics.add_counter("seen", 2, dimensions=[Dimension("kind", "dog")])
    metrics.add_counter("seen", 4, dimensions=mine)
    metrics.add_counter("plain", 8)
    assert [str(each) for each in mine] == ["kind:cat"]
    assert values(metrics) == {
        ("seen", (("kind", "cat"), *USUAL)): 5,
        ("seen", (("kind", "dog"), *USUAL)): 2,
        ("plain", USUAL): 8,
    }


def test_labels_that_a_report_brings_itself_stay_what_they_are(metrics):
    metrics.add_counter("seen", 1, dimensions=[Dimension("Level", "Own"), Dimension("ModelName", "n")])
    metrics.add_error("bad", 1, dimensions=[Dimension("kind", "x")])
    metrics.add_error("worse", 1)
    assert values(metrics) == {
        ("seen", (("Level", "Own"), ("ModelName", "n"))): 1,
        ("bad", (("kind", "x"), ("Level", "Error"))): 1,
        ("worse", (("Level", "Error"),)): 1,
    }


def test_labels_are_told_apart_by_name_and_not_by_order(metrics):
    metrics.add_counter("seen", 1, dimensions=[Dimension("a", "1"), Dimension("b", "2")])
    metrics.add_counter("seen", 1, dimensions=[Dimension("b", "2"), Dimension("a", "1")])
    assert list(values(metrics).values()) == [2]


@pytest.mark.parametrize(
    "report",
    [
        lambda it: it.add_counter("seen", -1),
        lambda it: it.add_counter("seen", 1, dimensions=[Dimension("more", "1")]),
        lambda it: it.get_metric("seen").add_or_update(1, ["m"]),
        lambda it: it.get_metric("seen").add_or_update(1, None),
        lambda it: it.get_metric("seen").add_or_update(-1, ["m", "Model"]),
    ],
)
def test_a_counter_that_shrinks_and_labels_that_do_not_fit_are_logged_and_not_raised(metrics, caplog, report):
    metrics.add_counter("seen", 1)
    with caplog.at_level(logging.ERROR):
        report(metrics)
    assert 'metric "seen" was not updated' in caplog.text
    assert values(metrics) == {("seen", USUAL): 1}
    assert metrics.get_metric("seen").dropped == 1


def test_what_is_no_number_or_no_unit_is_refused(metrics):
    for value in ("text", None, [1], "5", 1j, np.zeros(2)):
        with pytest.raises(TypeError, match='metric "bad" takes numbers'):
            metrics.add_error("bad", value)
        with pytest.raises(TypeError):
            metrics.add_time("took", value)
    for report in (metrics.add_time, metrics.add_size):
        with pytest.raises(MetricsCacheValueError, match='unknown unit "hours"; known are '):
            report("took", 1, unit="hours")
    assert not metrics.reported()


@pytest.mark.parametrize("value", [True, 0.5, np.float32(0.5), np.int64(3), np.array(2.5), Fraction(1, 2)])
def test_numbers_of_every_kind_are_taken(metrics, value):
    metrics.add_time("took", value)
    assert values(metrics) == {("took", USUAL): float(value)}


def test_a_figure_made_by_hand_takes_labels_by_their_values(metrics):
    own = metrics.add_metric_to_cache("own", "count", ["kind"])
    own.add_or_update(4, ["x"])
    own.add_or_update(1, dimension_values=["x"], request_id="a")
    own.update(2, "a", [Dimension("other", "y")])
    assert (own.metric_name, own.unit, own.metric_type) == ("own", "Count", MetricTypes.COUNTER)
    assert own.dimension_names == ["other"]
    assert values(metrics) == {("own", (("kind", "x"),)): 5, ("own", (("other", "y"),)): 2}


def test_a_figure_that_is_made_again_goes_on_counting(metrics):
    for _ in range(3):
        metrics.add_metric_to_cache("own", "count").add_or_update(1)
        metrics.add_counter("seen", 1)
        metrics.add_metric_to_cache("seen", "count", ["ModelName", "Level"])
    assert values(metrics) == {("own", ()): 3, ("seen", USUAL): 3}


def test_figures_are_found_by_name_and_kind_only(metrics):
    metrics.add_time("took", 1)
    assert metrics.get_metric("took", MetricTypes.GAUGE) is metrics.cache[MetricTypes.GAUGE]["took"]
    with pytest.raises(MetricsCacheKeyError, match='there is no counter metric "took"'):
        metrics.get_metric("took")
    assert metrics.cache_keys() == ["gauge:HandlerTime", "gauge:PredictionTime", "gauge:took"]


@pytest.mark.parametrize(
    "make",
    [
        lambda it: it.add_metric_to_cache(1, "count"),
        lambda it: it.add_metric_to_cache("x", None),
        lambda it: it.add_metric_to_cache("x", "count", "kind"),
        lambda it: it.add_metric_to_cache("x", "count", [], "counter"),
        lambda it: it.add_metric("x", 1, "count", metric_type="counter"),
        lambda it: it.get_metric("x", "counter"),
    ],
)
def test_names_units_and_kinds_of_a_wrong_type_are_refused(metrics, make):
    with pytest.raises(MetricsCacheTypeError):
        make(metrics)


def test_a_histogram_counts_by_bounds(metrics):
    for value in (0.004, 0.005, 3, 11, 12):
        metrics.add_metric("spread", value, "s", metric_type=MetricTypes.HISTOGRAM)
    (found,) = metrics.reported()
    assert found.value == pytest.approx(26.009)
    assert (found.buckets[0], found.buckets[11], found.buckets[-1], sum(found.buckets)) == (2, 1, 2, 5)
    (series,) = metrics.get_metric("spread", MetricTypes.HISTOGRAM).series.values()
    assert series.count == 5


def test_memory_does_not_grow_with_labels_and_names_made_of_requests(metrics, caplog):
    for number in range(MOST_LABEL_SETS + 5):
        metrics.add_counter("seen", 1, dimensions=[Dimension("user", str(number))])
        metrics.add_counter(f"seen {number}", 1)
    assert len(metrics.reported()) == MOST_LABEL_SETS + MOST_LABEL_SETS - 1
    assert (metrics.get_metric("seen").dropped, metrics.dropped) == (5, 6)
    assert "sets of labels already" in caplog.text


def test_reports_without_labels_are_cheap():
    """Counted in calls, not in seconds: after the first report nothing is built."""
    metrics = MetricsRecorder("m")
    metrics.add_time("took", 1)
    called = []
    sys.setprofile(lambda frame, event, _: event == "call" and called.append(frame.f_code.co_name))
    metrics.add_time("took", 2)
    sys.setprofile(None)
    assert called == ["add_time", "_report", "number_in", "take"]


def test_the_old_recorder_takes_the_same_reports():
    store = MetricsStore({0: "a"}, "m")
    store.add_counter("seen", 1, dimensions=None)
    store.add_error("bad", 1, None)
    assert values(store) == {("seen", USUAL): 1, ("bad", (("Level", "Error"),)): 1}
    assert (store.request_ids, store.model_name, store.store) == ({0: "a"}, "m", [])
