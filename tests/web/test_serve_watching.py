"""Watching a server: its metrics, its logs, its page and its description, over a real one."""

import json
import signal
import time

import pytest
from fakes.archives import write_war
from fakes.served import Served, call
from prometheus_client.parser import text_string_to_metric_families

SPEC = "models: {max-workers: 1}\ndag: {echo: []}\n"
HANDLER = """
import os

def echo(data, context):
    if data is None:
        return None
    body = bytes(data[0]["body"])
    if body == b"raise":
        raise ValueError("raised on purpose")
    if body == b"die":
        os._exit(3)
    print("printed by the handler")
    return [body]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watching")
    write_war(folder / "echo.war", SPEC, HANDLER)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    words = ("echo.war", "--access-log", "access.log", "--workflow-store", folder)
    with Served(folder, *words) as server:
        yield server


def samples(server, path="/metrics"):
    answer = call(server.ports["metrics"], "GET", path)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.values()))] = sample.value
    return found, answer.body.decode()


def test_metrics_count_what_was_asked(server):
    before, _ = samples(server)
    for body in ("one", "two", "raise"):
        server.ask("POST", "/wfpredict/echo", body)
    server.ask("POST", "/wfpredict/nosuch", "x")
    after, text = samples(server)

    def grown(name, *labels):
        key = next(key for key in after if key[0] == name and set(labels) <= set(key[1]))
        return after[key] - before.get(key, 0)

    assert 'Requests2XX{Level="Host",' in text
    assert grown("wfctl_node_done_total", "echo") == 2
    assert grown("wfctl_node_failed_total", "echo") == 1
    assert grown("ts_inference_requests_total", "echo", "default") == 3
    assert "nosuch" not in text
    only, _ = samples(server, "/metrics?name[]=Requests2XX")
    assert {name for name, _ in only} <= {"Requests2XX", "Requests2XX_total"}


def test_metrics_need_no_key_and_stand_at_their_address_alone(server):
    assert server.ask("GET", "/metrics").status == 404
    assert server.manage("GET", "/metrics").status == 404
    assert call(server.ports["metrics"], "GET", "/workflows").status == 404


def test_a_lost_worker_is_told_and_counted(server):
    server.ask("POST", "/wfpredict/echo", "die")
    server.wait_for("was lost")
    found, _ = samples(server)
    assert next(value for (name, _), value in found.items() if name == "wfctl_node_workers_lost_total") >= 1
    assert server.ask("POST", "/wfpredict/echo", "alive").body == b"alive"


def test_each_request_has_a_line_and_none_can_be_forged(folder, server):
    server.ask("POST", "/wfpredict/echo?token=sesame", "a secret payload", X_Request_Id="line-1", X_Secret="hidden")
    server.ask("GET", "/%0aGET%20/forged")
    server.ask("GET", "/ping", X_Request_Id="line-2")
    text = _until_in(folder / "access.log", "line-2", 10)
    (line,) = [each for each in text.splitlines() if "line-1" in each]
    assert "POST /wfpredict/echo 200" in line
    assert line.endswith("echo")
    for word in ("sesame", "secret", "hidden", "payload"):
        assert word not in text
    assert not [each for each in text.splitlines() if each.startswith("GET /forged")]


def _until_in(path, word, seconds):
    end = time.monotonic() + seconds
    while word not in (text := path.read_text()):
        assert time.monotonic() < end, text
    return text


def test_what_handlers_print_and_raise_is_told_here_and_to_no_client(server):
    answer = server.ask("POST", "/wfpredict/echo", "raise")
    assert b"on purpose" not in answer.body
    server.ask("POST", "/wfpredict/echo", "x")
    server.wait_for("[echo] printed by the handler")
    server.wait_for("raised on purpose")
    assert any("handler.py" in line and "| " in line for line in server.lines)  # its traceback


def test_the_page_and_its_numbers_are_there(server):
    page = server.manage("GET", "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    told = server.manage("GET", "/status").json
    assert [each["name"] for each in told["workflows"]] == ["echo"]
    answer = server.manage("POST", "/status/echo/1.0/try", "tried", Content_Type="x/y")
    assert (answer.status, answer.body) == (200, b"tried")
    assert server.manage("GET", "/status/echo/1.0/drawing").status == 200
    assert server.ask("GET", "/status").status == 404


def test_the_interface_describes_itself_without_a_key(folder):
    with Served(folder, "echo.war", "--token-auth") as server:
        told = server.ask("GET", "/api-description").json
        assert "/wfpredict/{workflow}" in told["paths"]
        assert server.ask("OPTIONS", "/").json["openapi"] == told["openapi"]
        assert server.manage("GET", "/").status == 200
        assert server.manage("GET", "/status").status == 401


def test_the_log_of_programs_is_an_object_a_line(folder):
    with Served(folder, "echo.war", "--log-format", "json", "--access-log", "-", waits=False) as server:
        server.wait_for('"event":"ready"')
        server.ask("POST", "/wfpredict/echo", "x", X_Request_Id="json-1")
        server.wait_for("json-1")
        server.stop(signal.SIGTERM)
        told = [json.loads(line) for line in server.lines if line]
    events = [each.get("event") for each in told]
    for event in ("started", "worker-ready", "workflow-registered", "ready", "draining", "ended"):
        assert event in events
    (asked,) = [each for each in told if each.get("request_id") == "json-1"]
    assert (asked["path"], asked["status"], asked["workflow"]) == ("/wfpredict/echo", 200, "echo")
