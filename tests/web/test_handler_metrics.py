"""What workers tell of their handlers, added up over workers and written for Prometheus; no worker is believed."""

import asyncio
import re
from asyncio import run

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from watched import add, asked_for

from wfctl.engine.backend import WorkerReport
from wfctl.engine.measured import Measured
from wfctl.handlers.metrics.caching_metric import BOUNDS
from wfctl.handlers.metrics.metric_types import MetricTypes
from wfctl.handlers.metrics.recorder import Reported
from wfctl.service.registry import Registry
from wfctl.web.watch.handler_metrics import HandlerMetrics
from wfctl.web.watch.handler_series import fit_series
from wfctl.web.watch.metrics import Metrics, scraped_response
from wfctl.web.watch.original_metrics import NAMES

COUNTER, GAUGE, HISTOGRAM = MetricTypes.COUNTER, MetricTypes.GAUGE, MetricTypes.HISTOGRAM
USUAL = (("ModelName", "flow__a"), ("Level", "Model"))
EMPTY = [0] * (len(BOUNDS) + 1)


def counter(value, name="seen", labels=USUAL) -> Reported:
    return Reported(name=name, unit="Count", kind=COUNTER, labels=labels, value=value)


def gauge(value, name="PredictionTime", labels=USUAL) -> Reported:
    return Reported(name=name, unit="Milliseconds", kind=GAUGE, labels=labels, value=value)


def histogram(places, value, name="took", labels=USUAL) -> Reported:
    buckets = tuple(EMPTY[at] + places.get(at, 0) for at in range(len(EMPTY)))
    return Reported(name=name, unit="Seconds", kind=HISTOGRAM, labels=labels, value=value, buckets=buckets)


def told(*series, left_out=0, is_last=False) -> Measured:
    return Measured(series=series, left_out=left_out, is_last=is_last)


@pytest.fixture
def handlers() -> HandlerMetrics:
    return HandlerMetrics()


def value(handlers, name, **labels):
    """The value of the only sample that has these labels."""
    (found,) = [
        sample.value
        for family in text_string_to_metric_families(handlers.text("h"))
        for sample in family.samples
        if sample.name in {name, f"{name}_total"} and labels.items() <= sample.labels.items()
    ]
    return found


# What it looks like


def test_the_text_is_the_originals(handlers):
    handlers.take(
        "flow", "a", 1, told(gauge(1.5), gauge(0.5, "HandlerTime"), counter(3, labels=(("user", "x"), *USUAL)))
    )
    handlers.take("flow", "a", 1, told(histogram({0: 1, 3: 2, 14: 1}, 99.5, labels=())))
    text = handlers.text("h")
    assert text.startswith("""\
# HELP HandlerTime Torchserve prometheus gauge metric with unit: Milliseconds
# TYPE HandlerTime gauge
HandlerTime{ModelName="flow__a",Level="Model",Hostname="h",} 0.5
# HELP PredictionTime Torchserve prometheus gauge metric with unit: Milliseconds
# TYPE PredictionTime gauge
PredictionTime{ModelName="flow__a",Level="Model",Hostname="h",} 1.5
# HELP seen Torchserve prometheus counter metric with unit: Count
# TYPE seen counter
seen{user="x",ModelName="flow__a",Level="Model",Hostname="h",} 3.0
# HELP took Torchserve prometheus histogram metric with unit: Seconds
# TYPE took histogram
took_bucket{ModelName="flow__a",le="0.005",Hostname="h",} 1.0
""")
    assert text.endswith("""\
took_bucket{ModelName="flow__a",le="10.0",Hostname="h",} 3.0
took_bucket{ModelName="flow__a",le="+Inf",Hostname="h",} 4.0
took_count{ModelName="flow__a",Hostname="h",} 4.0
took_sum{ModelName="flow__a",Hostname="h",} 99.5
""")


def test_only_what_is_named_is_told(handlers):
    handlers.take("flow", "a", 1, told(gauge(1.5), counter(3), histogram({0: 1}, 1)))
    for wanted, samples in (("seen", {"seen"}), ("took_sum", {"took_sum"}), ("nothing", set())):
        assert set(re.findall(r"^(\w+)\{", handlers.text("h", {wanted}), re.MULTILINE)) == samples
    assert handlers.text("h", {"nothing"}) == ""
    assert handlers.text("h", {"took"}).count("\n") == 2 + len(EMPTY) + 2


@pytest.mark.parametrize(("number", "shown"), [(float("nan"), "NaN"), (float("inf"), "+Inf"), (float("-inf"), "-Inf")])
def test_gauges_can_be_no_number(handlers, number, shown):
    handlers.take("flow", "a", 1, told(gauge(number)))
    assert handlers.text("h", {"PredictionTime"}).endswith(f"}} {shown}\n")


# Adding up


def test_counters_and_histograms_of_workers_are_added_up_and_of_gauges_the_newest_counts(handlers):
    handlers.take("flow", "a", 1, told(counter(3), gauge(5), histogram({0: 1}, 0.001)))
    handlers.take("flow", "a", 2, told(counter(4), gauge(6), histogram({0: 2, 14: 1}, 20)))
    assert (value(handlers, "seen"), value(handlers, "PredictionTime")) == (7, 6)
    assert (value(handlers, "took_bucket", le="0.005"), value(handlers, "took_count")) == (3, 4)
    assert value(handlers, "took_sum") == pytest.approx(20.001)
    handlers.take("flow", "a", 1, told(counter(5), gauge(5), histogram({0: 2}, 0.002)))
    assert (value(handlers, "seen"), value(handlers, "took_count")) == (9, 5)
    assert value(handlers, "PredictionTime") == 6  # the first worker only told its old value again
    handlers.take("flow", "a", 1, told(gauge(7)))
    assert value(handlers, "PredictionTime") == 7


def test_what_a_worker_counted_outlives_it_also_where_its_number_comes_again(handlers):
    handlers.take("flow", "a", 1, told(counter(3)))
    handlers.worker_gone("flow", "a", 1)
    assert value(handlers, "seen") == 3
    handlers.take("flow", "a", 1, told(counter(4)))
    assert value(handlers, "seen") == 7


def test_the_last_words_of_a_worker_count_once(handlers):
    handlers.take("flow", "a", 1, told(counter(3)))
    handlers.take("flow", "a", 1, told(counter(5), is_last=True))
    assert value(handlers, "seen") == 5
    assert handlers._nodes["flow", "a"]._heard == {}


def test_a_handler_that_begins_to_count_anew_makes_nothing_fall(handlers):
    handlers.take("flow", "a", 1, told(counter(10), histogram({0: 10}, 1)))
    handlers.take("flow", "a", 1, told(counter(2), histogram({0: 2}, 0.5)))
    assert (value(handlers, "seen"), value(handlers, "took_count")) == (12, 12)
    handlers.take("flow", "a", 1, told())
    handlers.take("flow", "a", 1, told(counter(2)))  # it left that out once
    assert value(handlers, "seen") == 12


NUMBERS = st.integers(0, 5)
WORDS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["tell", "lose", "last"]), NUMBERS), max_size=30)


@given(WORDS)
def test_a_counter_is_what_all_workers_ever_counted(words):
    handlers, counted, total, seen = HandlerMetrics(), {}, 0, 0
    for pid, word, more in words:
        counted[pid] = counted.get(pid, 0) + more
        total += more
        handlers.take("flow", "a", pid, told(counter(counted[pid]), is_last=word == "last"))
        if word == "lose":
            handlers.worker_gone("flow", "a", pid)
        if word != "tell":
            del counted[pid]
        assert value(handlers, "seen") == total >= seen
        seen = total


def test_nodes_are_told_apart_also_where_handlers_give_no_labels(handlers):
    handlers.take("flow", "a", 1, told(counter(3, labels=())))
    handlers.take("flow", "b", 2, told(counter(4, labels=())))
    assert value(handlers, "seen", ModelName="flow__a") == 3
    assert value(handlers, "seen", ModelName="flow__b") == 4


# What cannot be, or not be told


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ((("a-b c", "x"),), 'a_b_c="x",ModelName="flow__a",'),
        ((("1st", "x"),), '_1st="x",ModelName="flow__a",'),
        ((("__name__", "x"),), '_name__="x",ModelName="flow__a",'),
        ((("Hostname", "x"), ("ModelName", "x")), 'exported_Hostname="x",exported_ModelName="x",ModelName="flow__a",'),
        ((("none", ""), *USUAL), 'ModelName="flow__a",Level="Model",'),
        ((("le", "x"),), 'le="x",ModelName="flow__a",'),
        ((("a", 'q"\\\n\r\x00\u2028\ud800}'),), r'a="q\"\\\\n\\r\\x00\\u2028\\ud800}",ModelName="flow__a",'),
    ],
)
def test_labels_are_made_fit(handlers, labels, shown):
    handlers.take("flow", "a", 1, told(counter(1, labels=labels)))
    assert handlers.text("h", {"seen"}).splitlines()[2] == f'seen{{{shown}Hostname="h",}} 1.0'


@pytest.mark.parametrize(("name", "shown"), [("my metric/é", "my_metric__"), ("2nd", "_2nd"), ("a:b", "a:b")])
def test_names_are_made_fit(handlers, name, shown):
    handlers.take("flow", "a", 1, told(counter(1, name)))
    assert value(handlers, shown) == 1


def test_names_that_become_alike_are_one(handlers):
    handlers.take("flow", "a", 1, told(counter(1, "a b"), counter(2, "a-b"), counter(4, "a/b")))
    handlers.take("flow", "a", 1, told(counter(2, "a b"), counter(2, "a-b"), counter(4, "a/b")))
    assert value(handlers, "a_b") == 8


@pytest.mark.parametrize(
    "series",
    [
        counter(1, ""),
        counter(1, "Requests2XX"),
        counter(1, "wfctl_anything"),
        counter(1, "wfctl-anything"),
        counter(1, "PredictionTime"),
        counter(-1),
        counter(float("nan")),
        counter(float("inf")),
        counter(1, labels=(("a b", "x"), ("a_b", "y"))),
        counter(1, labels=(("", "x"),)),
        gauge(1, "here"),
        gauge(1, "there_sum"),
        histogram({0: -1}, 1),
        histogram({}, float("nan")),
        histogram({}, 1, "been"),
    ],
)
def test_what_cannot_be_told_is_counted_once_and_the_rest_is_told(handlers, series):
    handlers.take("flow", "b", 9, told(counter(1, "here"), histogram({}, 1, "there"), gauge(1, "been_count")))
    for _ in range(3):
        handlers.take("flow", "a", 1, told(series, counter(7, "sound")))
    assert value(handlers, "sound") == 7
    assert dict(handlers.dropped()) == {("flow", "a"): 1, ("flow", "b"): 0}


def test_a_thousand_series_of_a_node_and_no_more(handlers):
    for pid in (1, 2):
        series = [counter(1, labels=(("user", f"{pid}-{at}"),)) for at in range(900)]
        handlers.take("flow", "a", pid, told(*series, left_out=5))
        handlers.take("flow", "a", pid, told(*series, left_out=3))
    handlers.take("flow", "b", 3, told(counter(1)))
    assert handlers.text("h", {"seen"}).count("\n") == 2 + 1000 + 1
    assert dict(handlers.dropped()) == {("flow", "a"): 800 + 5 + 5, ("flow", "b"): 0}


TEXT = st.text(st.characters(), max_size=6) | st.sampled_from(
    ["le", "ModelName", "Hostname", "__name__", "seen_sum", "a"]
)


def reported(kind):
    size = len(EMPTY) if kind is HISTOGRAM else 0
    return st.builds(
        Reported,
        name=TEXT,
        unit=TEXT,
        kind=st.just(kind),
        labels=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
        value=st.floats() | st.integers(0, 9).map(float),
        buckets=st.lists(st.integers(-1, 9), min_size=size, max_size=size).map(tuple),
    )


@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.sampled_from(MetricTypes).flatmap(reported), max_size=5))))
def test_whatever_handlers_name_the_text_can_be_read_and_has_no_sample_twice(tellings):
    handlers = HandlerMetrics()
    for node, series in tellings:
        handlers.take("flow", node, 1, told(*series))
    text = handlers.text("h")
    text.encode()
    found = set()
    names = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
    assert len(names) == len(set(names))
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            continue
        key = line.rpartition(" ")[0]
        assert key not in found
        found.add(key)
        assert re.fullmatch(r'[a-zA-Z_:][\w:]*\{([a-zA-Z_]\w*="([^"\\\n]|\\[\\"n])*",)+\}', key, re.ASCII)
        assert key.isprintable()
    list(text_string_to_metric_families(text))


def test_a_fit_series_is_what_was_reported():
    series = fit_series(histogram({1: 2}, 3), "flow__a")
    assert (series.key, series.value, series.buckets[1]) == (("took", USUAL), 3, 2)


# Among the metrics of the server


class AskedEngine:
    """Answers as many workers as it is told to, in a while."""

    def __init__(self, engine, metrics, after_s: float = 0.0, answers: int = 2) -> None:
        self._engine, self._metrics, self._after_s, self._answers = engine, metrics, after_s, answers
        self.asked = 0

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def ask_metrics(self) -> int:
        self.asked += 1
        for at in range(self._answers):
            loop = asyncio.get_running_loop()
            loop.call_later(self._after_s, self._metrics.worker_measured, "flow", "m1", at, told(counter(self.asked)))
        return 2


def asking(after_s=0.0, answers=2):
    registry = Registry()
    metrics = Metrics(registry, hostname="h")
    registry.watchers.append(metrics)
    engine = AskedEngine(add(registry, "flow"), metrics, after_s, answers)
    registry.find("flow").deployment.engine = engine
    return registry, metrics, engine


async def scraped(metrics, target="/metrics?name[]=seen"):
    response = await scraped_response(metrics, asked_for(target=target, method="GET"))
    return [float(line.split(" ")[-1]) for line in response.body.decode().splitlines() if line.startswith("seen{")]


def test_a_scrape_tells_what_idle_workers_have_now():
    _, metrics, _ = asking()
    assert run(scraped(metrics)) == [2]


@pytest.mark.parametrize(("after_s", "answers"), [(30, 2), (0, 1), (0, 0)])
def test_a_scrape_waits_for_nobody_longer_than_a_moment(after_s, answers):
    async def scenario():
        _, metrics, _ = asking(after_s, answers)
        async with asyncio.timeout(5):
            assert await scraped(metrics) == ([1] if answers == 1 else [])

    run(scenario())


def test_the_figures_of_a_workflow_go_with_it_and_late_words_of_it_leave_nothing():
    async def scenario():
        registry, metrics, _ = asking()
        assert await scraped(metrics) == [2]
        await registry.unregister("flow")
        metrics.worker_measured("flow", "m1", 1, told(counter(1)))
        assert b'"flow' not in metrics.render()[0]
        metrics.worker_measured("flow", "m1", 1, told(counter(1)))
        assert metrics._handlers._nodes == {}
        assert "seen" not in metrics._handlers._names

    run(scenario())


def test_names_that_a_gone_workflow_had_are_free_and_those_of_others_are_not(handlers):
    handlers.take("gone", "a", 1, told(counter(1)))
    handlers.take("flow", "a", 2, told(gauge(1, "other"), gauge(1, "seen")))
    handlers.forget_gone({"flow": {"a"}})
    handlers.take("flow", "a", 2, told(gauge(1, "seen"), counter(1, "other")))
    assert "# TYPE seen gauge" in handlers.text("h")
    assert "# TYPE other gauge" in handlers.text("h")
    handlers.forget_gone({"flow": {"b"}})
    assert "other" not in handlers.text("h")


def test_a_worker_that_was_lost_or_comes_under_an_old_number_is_added():
    _, metrics, _ = asking()
    metrics.worker_measured("flow", "m1", 7, told(counter(1)))
    metrics.worker_lost("flow", "m1", 7, "killed")
    metrics.worker_measured("flow", "m1", 7, told(counter(1)))
    metrics.worker_ready("flow", WorkerReport(worker=1, node="m1", pid=7, load_s=1.0))
    metrics.worker_measured("flow", "m1", 7, told(counter(1), counter(1, "wfctl_x")))
    text = metrics.render()[0].decode()
    assert 'seen{ModelName="flow__a",Level="Model",' not in text
    assert 'seen{exported_ModelName="flow__a",Level="Model",ModelName="flow__m1",Hostname="h",} 3.0' in text
    assert 'wfctl_handler_series_dropped_total{node="m1",workflow="flow"} 1.0' in text


def test_every_name_of_the_servers_own_is_kept_from_handlers():
    registry = Registry()
    add(registry, "flow")
    names = set(re.findall(r"^# TYPE (\S+)", Metrics(registry, hostname="h").render()[0].decode(), re.MULTILINE))
    others = {name for name in names if not name.startswith("wfctl_")} - {"HandlerTime", "PredictionTime"}
    assert others <= NAMES
