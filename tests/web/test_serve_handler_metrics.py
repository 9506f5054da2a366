"""What handlers measure, scraped from a real server whose workers are processes."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes.archives import write_mar, write_war
from fakes.served import Served, call

SPEC = "models: {retry-attempts: 0, timeout-ms: 50000}\ndag: {count: []}\n"
HANDLER = """
import os
import time

from ts.metrics.dimension import Dimension
from ts.metrics.metric_type_enum import MetricTypes

def count(data, context):
    if data is None:
        return None
    body = bytes(data[0]["body"]).decode()
    metrics = context.metrics
    if body == "die":
        os._exit(3)
    metrics.add_counter("Seen", 1)
    metrics.add_counter("SeenBy", 1, dimensions=[Dimension("user", body)])
    metrics.add_metric("Took", 0.3, "s", metric_type=MetricTypes.HISTOGRAM)
    if body.startswith("sleep"):
        time.sleep(float(body.partition(" ")[2]))
    return [str(os.getpid())]
"""
TORCH_HANDLER = """
import torch
from ts.torch_handler.base_handler import BaseHandler

class Doubles(BaseHandler):
    def initialize(self, context):
        self.context = context
        self.device = torch.device("cpu")
        self.model = torch.nn.Linear(1, 1)
        self.initialized = True

    def preprocess(self, data):
        return torch.tensor([[float(bytes(row.get("body")).decode())] for row in data])

    def postprocess(self, output):
        return output.tolist()
"""
TORCH_SPEC = "models: {max-workers: 1, retry-attempts: 0, m1: {url: doubles.mar}}\ndag: {m1: []}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    write_war(folder / "flow.war", SPEC, HANDLER)
    write_mar(folder / "doubles.mar", TORCH_HANDLER)
    write_war(folder / "torch.war", TORCH_SPEC)
    return folder


@pytest.fixture
def server(folder):
    """One whose only node has two workers."""
    with Served(folder, "flow.war") as server:
        scale(server, 2)
        yield server


def scale(server, workers):
    query = f"min_worker={workers}&max_worker={workers}&synchronous=true"
    answer = server.manage("PUT", f"/workflows/flow/nodes/count?{query}")
    assert answer.status == 200, answer


def scrape(server, name, **labels) -> dict[str, float]:
    """Samples of a name that have these labels: labels as they are written -> value."""
    answer = call(server.ports["metrics"], "GET", f"/metrics?name[]={name}")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = re.findall(rf"^{name}\{{(.*)\}} (\S+)$", answer.body.decode(), re.MULTILINE)
    wanted = [f'{label}="{value}",' for label, value in labels.items()]
    return {pairs: float(value) for pairs, value in found if all(each in pairs for each in wanted)}


def scrape_until(server, holds, name, **labels) -> dict[str, float]:
    """Scrape until it is so: a worker is asked once a second at most."""
    end = time.monotonic() + 30
    while not holds(found := scrape(server, name, **labels)):
        assert time.monotonic() < end, found
        time.sleep(0.2)
    return found


def total(found) -> float:
    return sum(found.values())


def ask_many(server, bodies):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: server.ask("POST", "/wfpredict/flow", body), bodies))
    assert {answer.status for answer in answers} == {200}
    return {answer.body.decode() for answer in answers}


def test_the_first_scrape_has_what_idle_workers_measured(server):
    assert server.ask("POST", "/wfpredict/flow", "x").status == 200
    assert scrape(server, "Seen") != {}


def test_the_time_of_predictions_is_told_as_the_original_does(server):
    server.ask("POST", "/wfpredict/flow", "sleep 0.02")
    ((pairs, value),) = scrape_until(server, len, "PredictionTime").items()
    assert re.fullmatch(r'ModelName="flow__count",Level="Model",Hostname="[^"]+",', pairs)
    assert 20 <= value < 5000
    text = call(server.ports["metrics"], "GET", "/metrics").body.decode()
    assert "# HELP PredictionTime Torchserve prometheus gauge metric with unit: Milliseconds\n" in text
    assert "# TYPE PredictionTime gauge\n" in text


def test_the_time_of_a_base_handler_is_told(folder):
    with Served(folder, "torch.war", "--model-store", folder) as server:
        assert server.ask("POST", "/wfpredict/torch", "2").status == 200
        ((pairs, value),) = scrape_until(server, len, "HandlerTime").items()
        assert pairs.startswith('ModelName="torch__m1",Level="Model",Hostname="')
        assert 0 < value < 5000


def test_a_handlers_own_figures_are_added_up_over_its_workers(server):
    pids = ask_many(server, ["sleep 0.05"] * 16 + ["ann"] * 4)
    assert len(pids) == 2
    scrape_until(server, lambda found: total(found) == 20, "Seen", ModelName="flow__count", Level="Model")
    assert total(scrape(server, "SeenBy", user="ann")) == 4
    assert total(scrape(server, "Took_bucket", le="0.25")) == 0
    assert total(scrape(server, "Took_bucket", le="0.5")) == 20
    assert total(scrape(server, "Took_sum")) == pytest.approx(6)


def test_what_a_dead_worker_counted_stays(server):
    ask_many(server, ["x"] * 10)
    scrape_until(server, lambda found: total(found) == 10, "Seen")
    assert server.ask("POST", "/wfpredict/flow", "die").status != 200
    server.wait_for("was lost")
    assert total(scrape(server, "Seen")) == 10
    server.wait_for("ready after", count=3)
    ask_many(server, ["x"] * 6)
    scrape_until(server, lambda found: total(found) == 16, "Seen")


def test_a_worker_that_is_not_needed_any_more_tells_what_it_has(server):
    ask_many(server, ["sleep 0.02"] * 10)
    scale(server, 1)
    scrape_until(server, lambda found: total(found) == 10, "Seen")
    ask_many(server, ["x"] * 3)
    scrape_until(server, lambda found: total(found) == 13, "Seen")


def test_busy_workers_hold_no_scrape_up_and_tell_when_they_are_done(server):
    asking = [
        threading.Thread(target=server.ask, args=("POST", "/wfpredict/flow", f"sleep {seconds}")) for seconds in (3, 3)
    ]
    for each in asking:
        each.start()
    time.sleep(0.3)
    begun = time.monotonic()
    assert scrape(server, "Seen") == {}
    assert scrape(server, "Seen") == {}
    assert time.monotonic() - begun < 1.5
    for each in asking:
        each.join()
    scrape_until(server, lambda found: total(found) == 2, "Seen")
