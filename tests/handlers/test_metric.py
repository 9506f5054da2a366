import json
import logging
import re

from wfctl.handlers.metrics.dimension import Dimension
from wfctl.handlers.metrics.metric import Metric, MetricEncoder, MetricUnit, emit_metrics

LABELS = [Dimension("ModelName", "m"), Dimension("Level", "Model")]


def test_a_figure_is_shown_as_a_line_of_the_originals_log():
    line = r"took\.Milliseconds:5\|#ModelName:m,Level:Model\|#hostname:\S+,\d+"
    assert re.fullmatch(line, str(Metric("took", 5, "ms", LABELS)))
    assert re.fullmatch(line + ",a", str(Metric("took", 5, "ms", LABELS, "a")))


def test_values_are_replaced_added_and_reset():
    gauge, counter = Metric("x", 1, "own", LABELS), Metric("x", 1, "count", LABELS, None, "counter")
    for each in (gauge, counter):
        each.update(3)
    assert (gauge.value, counter.value, gauge.unit) == (3, 4, "own")
    counter.reset()
    assert counter.value == 0


def test_figures_and_labels_can_be_written_as_json():
    read = json.loads(json.dumps([Metric("x", 1, "", LABELS, "a")], cls=MetricEncoder))
    assert (read[0]["MetricName"], read[0]["Value"], read[0]["Unit"], read[0]["RequestId"]) == ("x", 1, "unit", "a")
    assert read[0]["Dimensions"] == [{"Name": "ModelName", "Value": "m"}, {"Name": "Level", "Value": "Model"}]


def test_each_figure_is_a_line_of_the_log(caplog):
    with caplog.at_level(logging.INFO):
        emit_metrics([Metric("x", 1, "MB", [])])
        emit_metrics(None)
    (line,) = caplog.messages
    assert line.startswith("[METRICS]x.Megabytes:1|#|#hostname:")
    assert MetricUnit.units[None] == "unit"
