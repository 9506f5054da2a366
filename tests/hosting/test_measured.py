"""What a worker reads of its handler's figures: all that can be told, and nothing else whatever is there."""

from enum import StrEnum

import pytest

from wfctl.handlers.metrics.caching_metric import BOUNDS, MOST_LABEL_SETS, Gauge
from wfctl.handlers.metrics.dimension import Dimension
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.recorder import MetricsRecorder
from wfctl.hosting.measured import read_measured

USUAL = (("ModelName", "flow__a"), ("Level", "Model"))


@pytest.fixture
def metrics():
    return MetricsRecorder("flow__a")


def told(metrics):
    return {(each.name, each.labels): each for each in read_measured(metrics, 1000)[0]}


def test_every_kind_of_figure_is_read_with_its_labels(metrics):
    metrics.add_counter("seen", 2)
    metrics.add_counter("seen", 3)
    metrics.add_time("PredictionTime", 1.5)
    metrics.add_size("held", 7, unit="GB", dimensions=[Dimension("place", "here")])
    figure = metrics.add_metric_to_cache("took", "s", ["lane"], MetricTypes.HISTOGRAM)
    figure.add_or_update(0.3, ["left"])
    figure.add_or_update(99, ["left"])
    found = told(metrics)
    assert (found["seen", USUAL].value, found["seen", USUAL].kind) == (5.0, MetricTypes.COUNTER)
    assert (found["PredictionTime", USUAL].value, found["PredictionTime", USUAL].unit) == (1.5, "Milliseconds")
    held = found["held", (("place", "here"), *USUAL)]
    assert (held.value, held.unit, held.kind) == (7.0, "Gigabytes", MetricTypes.GAUGE)
    took = found["took", (("lane", "left"),)]
    assert (took.value, sum(took.buckets), took.buckets[-1], len(took.buckets)) == (99.3, 2, 1, len(BOUNDS) + 1)
    assert read_measured(metrics, 1000)[1] == 0


def test_what_was_never_reported_is_not_told(metrics):
    metrics.add_metric_to_cache("made", "count", ["lane"])
    assert told(metrics) == {}


def test_more_than_so_many_are_counted_and_not_told(metrics):
    figure = metrics.add_metric_to_cache("seen", "count", ["user"])
    for number in range(MOST_LABEL_SETS + 500):
        figure.add_or_update(1, [str(number)])
    metrics.add_counter("further", 1)
    found, left_out = read_measured(metrics, 1000)
    assert (len(found), left_out) == (1000, 1)


class Mischief(str):
    """Text whose own methods are of no help."""

    __slots__ = ()

    def __str__(self):
        raise KeyError(self)

    def __len__(self):
        return 0


class Name(StrEnum):
    SEEN = "seen"


def test_text_of_a_class_of_the_handlers_own_is_told_as_text(metrics):
    metrics.add_counter(Name.SEEN, 1)
    metrics.add_counter(Mischief("odd"), 1)
    found = {each.name for each in read_measured(metrics, 1000)[0]}
    assert found == {"seen", "odd"}
    assert {type(each) for each in found} == {str}


def _labels(count):
    return tuple((f"l{at}", "x") for at in range(count))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda figure: figure.series.update({_labels(500): Gauge()}),
        lambda figure: figure.series.update({("x" * 2000, "y"): Gauge()}),
        lambda figure: figure.series.update({(("name", "x" * 2000),): Gauge()}),
        lambda figure: figure.series.update({None: Gauge()}),
        lambda figure: figure.series.update({(("name", object()),): Gauge()}),
        lambda figure: figure.series.update({(): object()}),
        lambda figure: setattr(figure.series[USUAL], "value", "many"),
        lambda figure: setattr(figure.series[USUAL], "value", True),
        lambda figure: setattr(figure.series[USUAL], "value", 10**400),
        lambda figure: setattr(figure, "metric_name", b"bytes"),
        lambda figure: setattr(figure, "unit", None),
        lambda figure: setattr(figure, "metric_type", ["counter"]),
        lambda figure: setattr(figure, "metric_type", MetricTypes.HISTOGRAM),
    ],
)
def test_what_is_not_what_it_should_be_is_counted_and_the_rest_is_told(metrics, spoil):
    metrics.add_counter("spoilt", 1)
    metrics.add_counter("sound", 1)
    spoil(metrics.get_metric("spoilt"))
    found, left_out = read_measured(metrics, 1000)
    assert "sound" in {each.name for each in found}
    assert left_out == 1


@pytest.mark.parametrize("other", [None, {}, "metrics", object(), MetricsRecorder])
def test_whatever_else_a_handler_put_there_has_no_figures(other):
    assert read_measured(other, 1000) == ([], 0)


def test_what_is_no_figure_among_figures_is_passed_over(metrics):
    metrics.cache[MetricTypes.COUNTER] = {"x": 3, "y": object()}
    metrics.add_counter("seen", 1)
    assert {each.name for each in read_measured(metrics, 1000)[0]} == {"seen"}
