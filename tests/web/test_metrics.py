"""What a server tells of itself: the original's metrics to the letter, ours by an independent reader."""

import re
import subprocess
import sys
from asyncio import run
from contextlib import suppress
from functools import partial
from math import inf

import pytest
from fakes.clock_loop import run_clocked
from fakes.plans import plan_of
from fakes.scripted_backend import Lost, NodeScript, ScriptedBackend, failing
from prometheus_client.parser import text_string_to_metric_families
from watched import add, answer, asked_for, head_of

from wfctl.engine.backend import WorkerReport
from wfctl.engine.call import NO_HEADERS, Part
from wfctl.engine.core.records import Attempt, NodeState, Run
from wfctl.engine.engine import open_engine
from wfctl.errors import WfctlError
from wfctl.service.registry import Registry
from wfctl.spec.model import WorkerSettings
from wfctl.web.access.guard import Guard
from wfctl.web.app import Endpoints, Front
from wfctl.web.endpoints.inference import Inference
from wfctl.web.routes import Api, Endpoint
from wfctl.web.site import Site
from wfctl.web.watch.metrics import Metrics, metrics_response

ORIGINAL = """\
# HELP Requests2XX Torchserve prometheus counter metric with unit: Count
# TYPE Requests2XX counter
Requests2XX{Level="Host",Hostname="h",} 3.0
# HELP Requests4XX Torchserve prometheus counter metric with unit: Count
# TYPE Requests4XX counter
Requests4XX{Level="Host",Hostname="h",} 1.0
# HELP Requests5XX Torchserve prometheus counter metric with unit: Count
# TYPE Requests5XX counter
Requests5XX{Level="Host",Hostname="h",} 2.0
# HELP ts_inference_requests_total Torchserve prometheus counter metric with unit: Count
# TYPE ts_inference_requests_total counter
ts_inference_requests_total{model_name="digits",model_version="default",hostname="h",} 3.0
ts_inference_requests_total{model_name="digits",model_version="2.0",hostname="h",} 1.0
# HELP ts_inference_latency_microseconds Torchserve prometheus counter metric with unit: Microseconds
# TYPE ts_inference_latency_microseconds counter
ts_inference_latency_microseconds{model_name="digits",model_version="default",hostname="h",} 750000.0
ts_inference_latency_microseconds{model_name="digits",model_version="2.0",hostname="h",} 125000.0
# HELP ts_queue_latency_microseconds Torchserve prometheus counter metric with unit: Microseconds
# TYPE ts_queue_latency_microseconds counter
ts_queue_latency_microseconds{model_name="digits",model_version="default",hostname="h",} 0.0
ts_queue_latency_microseconds{model_name="digits",model_version="2.0",hostname="h",} 0.0
# HELP QueueTime Torchserve prometheus gauge metric with unit: Milliseconds
# TYPE QueueTime gauge
# HELP WorkerThreadTime Torchserve prometheus gauge metric with unit: Milliseconds
# TYPE WorkerThreadTime gauge
# HELP WorkerLoadTime Torchserve prometheus gauge metric with unit: Milliseconds
# TYPE WorkerLoadTime gauge
WorkerLoadTime{WorkerName="W-71-digits__m1_1.0",Level="Host",Hostname="h",} 1500.0
"""
NAMES = re.findall(r"# TYPE (\S+)", ORIGINAL)
MACHINE = (
    "CPUUtilization",
    "MemoryUsed",
    "MemoryAvailable",
    "MemoryUtilization",
    "DiskUsage",
    "DiskUtilization",
    "DiskAvailable",
)


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Name and label values, by the names of labels -> value, as the library for the format reads them."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            # The reader, too, believes that every counter is called so.
            short = sample.name.removesuffix("_total")
            name = sample.name if re.search(rf"^{sample.name}\b", text.decode(), re.MULTILINE) else short
            key = (name, *(value for _, value in sorted(sample.labels.items())))
            assert key not in found, f"{key} is told twice"
            found[key] = sample.value
    return found


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def metrics(registry) -> Metrics:
    return Metrics(registry, hostname="h")


def told(metrics: Metrics, *names: str) -> dict[tuple[str, ...], float]:
    return samples(metrics.render(names)[0])


def test_the_metrics_of_the_original_are_told_to_the_letter(registry, metrics):
    engine = add(registry, "digits")
    add(registry, "digits", "2.0")
    engine.say(worker_pids=(71,))
    metrics.worker_ready("digits", WorkerReport(worker=1, node="m1", pid=71, load_s=1.5))
    metrics.answered(asked_for("digits"), answer(), 0.25)
    metrics.answered(asked_for("digits"), answer(), 0.5)
    metrics.answered(asked_for("digits"), answer(503), 9.0)
    metrics.answered(asked_for("digits", "2.0"), answer(), 0.125)
    metrics.answered(asked_for(), answer(404), 0.001)
    metrics.answered(asked_for(), answer(500), 0.001)
    body, content_type = metrics.render(NAMES)
    assert body.decode() == ORIGINAL
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"


def test_an_independent_reader_finds_every_sample_that_is_written(registry, metrics):
    add(registry, "digits")
    metrics.answered(asked_for("digits"), answer(), 0.25)
    body = metrics.render()[0]
    found = samples(body)
    assert found["Requests2XX", "h", "Host"] == 1
    assert len(found) == sum(not line.startswith("#") for line in body.decode().splitlines())
    assert {name for name, *_ in found} > set(MACHINE)


def test_regular_expressions_of_clients_find_their_values(metrics):
    metrics.answered(asked_for(), answer(), 0.001)
    found = re.search(r'Requests2XX\{Level="Host",Hostname="(.*)",\} (\d+\.\d+)', metrics.render()[0].decode())
    assert found
    assert found.groups() == ("h", "1.0")


@pytest.mark.parametrize("status", [304, 999])
def test_what_is_neither_success_nor_failure_is_in_none_of_the_three(metrics, status):
    metrics.answered(asked_for(), answer(status), 0.001)
    assert set(told(metrics, "Requests2XX", "Requests4XX", "Requests5XX").values()) == {0.0}


def test_a_host_with_a_strange_name_is_still_one_label(registry):
    metrics = Metrics(registry, hostname='a"b\\nc\nd')
    assert ("Requests2XX", 'a"b\\nc\nd', "Host") in told(metrics)


# Ours


def test_nodes_are_told_with_all_their_numbers(registry, metrics):
    add(registry, "digits").say(
        queued=1,
        running=2,
        done=3,
        failed=4,
        retried=5,
        batches=6,
        sent=7,
        starting=8,
        lost=9,
        least=10,
        most=11,
        batch_time_s=0.125,
        worker_pids=(1, 2, 3),
    )
    at = ("m1", "1.0", "digits")
    assert {key: value for key, value in told(metrics).items() if key[0].startswith("wfctl_node_")} == {
        ("wfctl_node_queue_length", *at): 1,
        ("wfctl_node_running_calls", *at): 2,
        ("wfctl_node_done_total", *at): 3,
        ("wfctl_node_failed_total", *at): 4,
        ("wfctl_node_retried_total", *at): 5,
        ("wfctl_node_batches_total", *at): 6,
        ("wfctl_node_batched_calls_total", *at): 7,
        ("wfctl_node_workers_starting", *at): 8,
        ("wfctl_node_workers_lost_total", *at): 9,
        ("wfctl_node_workers_min", *at): 10,
        ("wfctl_node_workers_max", *at): 11,
        ("wfctl_node_batch_seconds", *at): 0.125,
        ("wfctl_node_workers_ready", *at): 3,
    }


def test_versions_of_a_workflow_are_told_apart(registry, metrics):
    add(registry, "digits").say(runs=3, late=1, stray=2)
    add(registry, "digits", "2.0").say(runs=4)
    found = told(metrics)
    assert found["wfctl_workflow_runs_in_flight", "1.0", "digits"] == 3
    assert found["wfctl_workflow_runs_in_flight", "2.0", "digits"] == 4
    assert found["wfctl_workflow_late_answers_total", "1.0", "digits"] == 1
    assert found["wfctl_workflow_stray_answers_total", "1.0", "digits"] == 2


def test_requests_are_counted_by_class_over_all_versions(registry, metrics):
    add(registry, "digits")
    add(registry, "digits", "2.0")
    for version, status in ((None, 200), ("2.0", 201), (None, 302), ("2.0", 503)):
        metrics.answered(asked_for("digits", version), answer(status), 0.001)
    found = {key: value for key, value in told(metrics).items() if key[0] == "wfctl_requests_total"}
    assert found == {
        ("wfctl_requests_total", "2xx", "digits"): 2,
        ("wfctl_requests_total", "3xx", "digits"): 1,
        ("wfctl_requests_total", "5xx", "digits"): 1,
    }


def test_times_of_requests_stand_in_the_buckets_that_hold_them(registry, metrics):
    add(registry, "digits")
    times = (0.0001, 0.001, 0.0010001, 0.3, 120.0, 121.0)  # a bound belongs to what is below it
    for took_s in times:
        metrics.answered(asked_for("digits"), answer(), took_s)
    found = told(metrics)
    name = "wfctl_request_seconds_bucket"
    buckets = {float(key[1]): value for key, value in found.items() if key[0] == name}
    assert buckets == {bound: sum(took_s <= bound for took_s in times) for bound in buckets}
    assert (buckets[0.001], buckets[0.0025], buckets[120.0], buckets[inf]) == (2, 3, 5, 6)
    assert found["wfctl_request_seconds_count", "digits"] == 6
    assert found["wfctl_request_seconds_sum", "digits"] == pytest.approx(sum(times))


def test_connections_are_told_once_it_is_known_who_has_them(metrics):
    class Door:
        connections = 12
        turned_away = 3

    assert not [key for key in told(metrics) if key[0].startswith("wfctl_connections")]
    metrics.clients = Door()
    found = told(metrics)
    assert found["wfctl_connections",] == 12
    assert found["wfctl_connections_turned_away_total",] == 3


def test_the_sum_of_a_workflow_outlives_its_versions(registry, metrics):
    async def scenario():
        add(registry, "digits")
        add(registry, "digits", "2.0")
        metrics.answered(asked_for("digits", "2.0"), answer(), 0.001)
        await registry.unregister("digits", "2.0")
        found = told(metrics)
        assert found["wfctl_requests_total", "2xx", "digits"] == 1  # a counter that falls reads as a new server
        assert not [key for key in found if "2.0" in key]

    run(scenario())


# Times of runs, by a real engine


async def _results(metrics, plan, scripts, *, count=1):
    """Run a workflow so many times at once; returns the results of those that succeeded, in the order of their end."""
    async with open_engine(plan, ScriptedBackend(scripts), on_output=lambda *_: None) as engine:
        results = []

        def settled(each) -> None:
            metrics.ran(asked_for("digits"), each)
            with suppress(WfctlError):
                results.append(engine.result(each))

        for _ in range(count):
            engine.submit((Part("body", b"x", ""),), {}, settled)
        await engine.wait_drained()
    return results


def test_time_in_queues_is_that_of_all_nodes_of_a_run(registry, metrics):
    add(registry, "digits")

    async def scenario():
        # One after another, and the second node is the slower one: both make runs wait.
        scripts = {"a": NodeScript(ran_s=0.5), "b": NodeScript(ran_s=0.7)}
        plan = plan_of("a > b", default=WorkerSettings(max_workers=1, batch_size=1, timeout_ms=60_000))
        results = await _results(metrics, plan, scripts, count=3)
        waited_s = [[timing.queued_s for timing in result.timings] for result in results]
        assert sum(map(sum, waited_s)) > 1
        assert min(waited_s[-1]) > 0
        found = told(metrics)
        assert found["QueueTime", "h", "Host"] == pytest.approx(sum(waited_s[-1]) * 1e3)
        whole = found["ts_queue_latency_microseconds", "h", "digits", "default"]
        assert whole == pytest.approx(sum(map(sum, waited_s)) * 1e6)
        assert found["WorkerThreadTime", "h", "Host"] == 0.0  # this backend does not say how long its handlers took

    run_clocked(scenario())


def test_time_between_engine_and_handlers_is_told_where_it_is_measured(registry, metrics):
    add(registry, "digits")

    def settled_run() -> Run:
        """A run of which three things are known by hand: 0.5 s in queues, 0.25 s at handlers, 0.125 s in between."""
        plan = plan_of("a")
        node = NodeState(plan.nodes[0], 0, 100)
        run = Run(1, NO_HEADERS, lambda _: None)
        attempt = Attempt(1, b"", run, node, 1, 10.0)
        attempt.sent, attempt.received = 10.5, 10.875
        attempt.started_ns, attempt.finished_ns = 10_600_000_000, 10_850_000_000
        run.attempts = [attempt, None]  # as where one node was asked by itself
        return run

    metrics.ran(asked_for("digits"), settled_run())
    found = told(metrics)
    assert found["WorkerThreadTime", "h", "Host"] == pytest.approx(125.0)
    assert found["QueueTime", "h", "Host"] == pytest.approx(500.0)


@pytest.mark.parametrize("reply", [failing("no", is_final=True), lambda calls: Lost()])
def test_a_run_that_failed_says_nothing_of_times(registry, metrics, reply):
    add(registry, "digits")

    async def scenario():
        assert not await _results(metrics, plan_of("a > b"), {"b": NodeScript(reply=reply)})
        assert not [key for key in told(metrics) if key[0] in {"QueueTime", "ts_queue_latency_microseconds"}]
        assert await _results(metrics, plan_of("a > b"), {})
        assert "QueueTime" in {key[0] for key in told(metrics)}

    run_clocked(scenario())


# Workers


def test_workers_that_are_gone_are_told_no_more(registry, metrics):
    engine = add(registry, "digits")
    for pid in (71, 72):
        metrics.worker_ready("digits", WorkerReport(worker=1, node="m1", pid=pid, load_s=pid))
    engine.say(worker_pids=(72, 73))  # of the third nothing was heard
    assert told(metrics, "WorkerLoadTime") == {("WorkerLoadTime", "h", "Host", "W-72-digits__m1_1.0"): 72_000}


def test_a_worker_that_was_lost_is_forgotten_before_its_number_comes_again(registry, metrics):
    engine = add(registry, "digits")
    metrics.worker_ready("digits", WorkerReport(worker=1, node="m1", pid=71, load_s=1.0))
    metrics.worker_lost("digits", "m1", 71, "killed by signal 9")
    metrics.worker_lost("digits", "m1", 72, "of which nothing was heard")
    engine.say(worker_pids=(71,))
    assert told(metrics, "WorkerLoadTime") == {}


def test_times_of_ten_thousand_workers_do_not_pile_up(registry, metrics):
    engine = add(registry, "digits")
    for pid in range(1, 10_001):
        metrics.worker_ready("digits", WorkerReport(worker=1, node="m1", pid=pid, load_s=1.0))
    engine.say(worker_pids=tuple(range(1, 10_001)))
    found = told(metrics, "WorkerLoadTime")
    assert len(found) == len(metrics._load_s) == 4096
    assert ("WorkerLoadTime", "h", "Host", "W-10000-digits__m1_1.0") in found


# What clients say is nowhere


def test_ten_thousand_unknown_names_and_versions_leave_no_trace():
    async def scenario():
        registry = Registry()
        add(registry, "digits")
        metrics = Metrics(registry, hostname="h")
        site = Site(registry=registry, witnesses=(metrics,))
        endpoints = Endpoints()
        inference = Inference(site, most=1000)
        endpoints.runs[Endpoint.WORKFLOW_PREDICT] = inference.predict_workflow
        endpoints.runs[Endpoint.PREDICTIONS] = inference.predict_node
        endpoints.now[Endpoint.METRICS] = partial(metrics_response, metrics)
        guard = Guard.at("127.0.0.1", machine="h")
        front = Front(site, endpoints, frozenset({Api.INFERENCE, Api.METRICS}), guard)

        def ask(target: str, body: bytes = b""):
            head = head_of("GET", target, authorization="Bearer hunter2")
            answers = []
            refusal = front.admit(head)
            if refusal is not None:
                return refusal
            front.begin(head, bytearray(body), answers.append)
            return answers[0]

        metrics.answered(asked_for("digits"), answer(), 0.001)
        ask("/nowhere")
        before = samples(ask("/metrics").body).keys()
        for number in range(10_000):
            assert ask(f"/wfpredict/unknown{number}?key=hunter2", b"secret").status == 404
        for number in range(1000):
            ask(f"/predictions/digits__x{number}")
            ask(f"/nowhere{number}")
            # Such a request does run: the original leaves alone what follows the name.
            metrics.answered(asked_for("digits", f"v{number}"), answer(), 0.001)
        body = ask("/metrics").body
        assert samples(body).keys() == before
        assert samples(body)["Requests4XX", "h", "Host"] == 12_001
        assert samples(body)["ts_inference_requests_total", "h", "digits", "default"] == 1001
        assert not [word for word in (b"hunter2", b"secret", b"unknown", b"nowhere") if word in body]
        assert len(metrics._tallies.versions) == len(metrics._tallies.workflows) == 1

    run(scenario())


def test_workflows_that_come_and_go_leave_nothing():
    async def scenario():
        registry = Registry()
        metrics = Metrics(registry, hostname="h")
        before = told(metrics).keys()
        for number in range(300):  # nobody looks meanwhile
            name = f"w{number}"
            add(registry, name)
            metrics.answered(asked_for(name), answer(), 0.001)
            metrics.answered(asked_for(name, "1.0"), answer(), 0.001)
            await registry.unregister(name)
        assert len(metrics._tallies.workflows) <= 2
        assert told(metrics).keys() == before
        assert not metrics._tallies.workflows
        metrics.answered(asked_for("w0"), answer(), 0.001)  # an answer that was on its way
        assert told(metrics).keys() == before

    run(scenario())


# The endpoint


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?name[]=Requests2XX", {"Requests2XX"}),
        ("?name%5B%5D=Requests2XX&name[]=CPUUtilization&other=Requests5XX", {"Requests2XX", "CPUUtilization"}),
        ("?name[]=wfctl_request_seconds_sum", {"wfctl_request_seconds_sum"}),
        ("?name[]=wfctl_node_done_total", {"wfctl_node_done_total"}),
        (
            "?name[]=wfctl_request_seconds",
            {"wfctl_request_seconds_sum", "wfctl_request_seconds_count", "wfctl_request_seconds_bucket"},
        ),
        ("?name[]=unknown", set()),
    ],
)
def test_only_what_is_named_is_told(registry, metrics, query, names):
    add(registry, "digits")
    metrics.answered(asked_for("digits"), answer(), 0.001)
    response = metrics_response(metrics, asked_for(target=f"/metrics{query}", method="GET"))
    assert (response.status, response.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert {key[0] for key in samples(response.body)} == names


def test_everything_is_told_where_nothing_is_named(metrics):
    response = metrics_response(metrics, asked_for(target="/metrics", method="GET"))
    assert {"Requests2XX", "wfctl_workflow_runs_in_flight"} <= set(re.findall(r"# TYPE (\S+)", response.body.decode()))


def test_no_command_but_the_server_loads_the_library():
    program = "import sys, wfctl.cli.main, wfctl.service.deployment; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
