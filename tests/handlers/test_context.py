import pytest

from wfctl.handlers.context import Context
from wfctl.handlers.metrics import MetricsRecorder
from wfctl.handlers.timer import timed


def context(**more):
    found = Context(model_name="flow__m", model_dir="/m", manifest=None, batch_size=2, **more)
    found.begin_batch(["a", "b"], [{"X": "1"}, {}])
    return found


def test_each_batch_begins_without_what_the_last_one_set():
    found = context()
    found.own_attribute = 3
    found.set_all_response_status(404, "gone")
    found.set_response_header(1, "H", "v")
    assert found.get_response_status(1) == (404, "gone")
    found.begin_batch(["c"], [{}])
    assert found.get_response_status(0) == (200, "")
    assert found.get_response_headers(0) == {}
    assert (found.request_ids, found.own_attribute, found.manifest) == ({0: "c"}, 3, None)
    assert found.get_request_id(5) is None


def test_headers_are_read_as_they_were_written():
    found = context()
    assert found.get_request_header(0, "X") == "1"
    assert found.get_request_header(0, "x") is None
    assert found.get_all_request_header(1) == {}
    assert found.request_processor[0].get_request_properties() == {"X": "1"}


def test_counters_add_up_and_gauges_keep_the_last_value():
    metrics = MetricsRecorder("m")
    metrics.add_counter("seen", 2)
    metrics.add_counter("seen", 3, idx=0, dimensions=[])
    metrics.add_time("took", 5, None, "ms")
    metrics.add_time("took", 7)
    metrics.add_size("size", 1, unit="GB")
    metrics.add_percent("share", 50)
    metrics.add_error("bad", 1)
    metrics.add_metric_to_cache("own", "count").add_or_update(4, ["x"])
    assert {name: each.value for name, each in metrics.cache.items()} == {
        "seen": 5,
        "took": 7,
        "size": 1,
        "share": 50,
        "bad": 1,
        "own": 4,
    }
    assert metrics.get_metric("took").unit == "Milliseconds"


def test_what_is_no_number_or_no_unit_is_refused():
    metrics = MetricsRecorder("m")
    with pytest.raises(TypeError):
        metrics.add_error("bad", "text")
    with pytest.raises(ValueError, match='unknown unit "hours"'):
        metrics.add_time("took", 1, unit="hours")


@pytest.mark.parametrize(("profile", "reported"), [(True, ["ts_handler_step"]), (False, [])])
def test_steps_are_timed_only_where_the_configuration_asks(profile, reported):
    class Handler:
        def __init__(self):
            self.context = context(model_yaml_config={"handler": {"profile": profile}})

        @timed
        def step(self, value):
            return value + 1

    handler = Handler()
    assert handler.step(1) == 2
    assert list(handler.context.metrics.cache) == reported
