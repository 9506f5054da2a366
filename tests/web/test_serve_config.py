"""What a ``config.properties`` says has its effect: in what is opened, in workers, at the server's doors.

Beside it: ``max_request_size`` in ``test_serve_start``, ``decode_input_request`` in ``test_serve_inference``, and how
files and variables are read in ``test_settings``.
"""

import hashlib
import http.client
import json
import socket
import ssl
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes.archives import write_mar, write_war
from fakes.served import Answer, Served, call
from fakes.servers import CERTIFICATE, web_site

from wfctl.cli.serve import command
from wfctl.service.wishes import WishMaker
from wfctl.store.address import parse_address

ECHO = "def echo(data, context):\n    return data and [row.get('body') for row in data]\n"
INSTANCES = "def handle(data, context):\n    return data\n"
PLAIN = "models: {max-workers: 1}\ndag: {echo: []}\n"


# What is opened


@pytest.fixture
def wishes(tmp_path, monkeypatch):
    """Return what settles a file and a line into what all workflows are opened with."""

    def settle(text: str, *line: str) -> WishMaker:
        seen: list[WishMaker] = []
        monkeypatch.setattr(
            "wfctl.cli.serve_run.run", lambda settings, serving, wishes, wished, engines: seen.append(wishes)
        )
        monkeypatch.chdir(tmp_path)
        (tmp_path / "config.properties").write_text(text)
        (tmp_path / "workflow.yaml").write_text(PLAIN)
        done = CliRunner().invoke(command, line, standalone_mode=False, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return seen[0]

    return settle


def over_network(made: WishMaker, **more):
    asked = {"name": None, "version": None, "startup_timeout_s": None, "response_timeout_s": None, **more}
    return made.from_network("https://h/a.war", **asked).request


def test_what_nobody_says_is_left_to_specs_and_archives(wishes):
    made = wishes("")
    for request in (made.from_user(Path("a.war")).request, over_network(made)):
        assert (request.startup_timeout_s, request.response_timeout_s, request.queue_size) == (120.0, None, None)
        assert (request.limit_max_image_pixels, request.hidden_variables) == (True, None)
        assert (request.service_envelope, request.install_requirements) == (None, False)
        assert (request.model_store, request.terms.workflow_store) == (None, None)


def test_defaults_hold_for_every_workflow_and_parameters_of_a_request_beat_them(wishes):
    made = wishes("default_response_timeout=7\ndefault_startup_timeout=300\njob_queue_size=5\n")
    for request in (made.from_user(Path("a.war")).request, made.from_user("https://h/a.war").request):
        assert (request.startup_timeout_s, request.response_timeout_s, request.queue_size) == (300.0, 7.0, 5)
    request = over_network(made)
    assert (request.startup_timeout_s, request.response_timeout_s, request.queue_size) == (300.0, 7.0, 5)
    request = over_network(made, startup_timeout_s=9, response_timeout_s=8)
    assert (request.startup_timeout_s, request.response_timeout_s, request.queue_size) == (9, 8, 5)


@pytest.mark.parametrize("seconds", ["60", "120"])
def test_a_time_for_loading_on_the_line_beats_the_file_also_if_it_is_the_usual_one(wishes, seconds):
    made = wishes("default_startup_timeout=300\n", "--startup-timeout", seconds)
    assert made.pattern.startup_timeout_s == float(seconds)


def test_the_model_store_is_the_workflow_store_unless_one_is_named(wishes):
    def stores(*words: str) -> tuple[Path | None, Path | None]:
        pattern = wishes(*words).pattern
        return pattern.model_store, pattern.terms.workflow_store

    assert stores("model_store=m\n") == (Path("m"), Path("m"))
    assert stores("model_store=m\nworkflow_store=w\n") == (Path("m"), Path("w"))
    assert stores("workflow_store=w\n") == (None, Path("w"))
    assert stores("model_store=m\nworkflow_store=w\n", "--workflow-store", "x") == (Path("m"), Path("x"))
    assert stores("model_store=m\n", "--workflow-store", "x", "--model-store", "y") == (Path("y"), Path("x"))


def test_how_archives_are_loaded_is_said_by_the_file_or_by_the_line(wishes):
    text = "install_py_dep_per_model=true\nservice_envelope=kserve\nlimit_max_image_pixels=false\n"
    pattern = wishes(text).pattern
    assert (pattern.install_requirements, pattern.service_envelope) == (True, "kserve")
    assert pattern.limit_max_image_pixels is False
    assert wishes(text, "--service-envelope", "json").pattern.service_envelope == "json"
    assert wishes("", "--install-requirements").pattern.install_requirements is True


def test_urls_are_allowed_by_the_file_and_by_the_line(wishes):
    made = wishes("allowed_urls=https://one/.*,https://two/.*\n", "--allow-url", "https://three/")
    allowed = made.pattern.terms.policy.allowed
    found = [allowed.admits(parse_address(f"https://{host}/a.war")) for host in ("one", "two", "three", "four")]
    assert found == [True, True, True, False]


# A server that is told its addresses, its certificate, its stores and what pages may do


def test_addresses_certificate_stores_and_pages(tmp_path):
    store = tmp_path / "models"
    store.mkdir()
    write_mar(store / "plain.mar", INSTANCES)
    write_mar(store / "set.mar", INSTANCES, config="responseTimeout: 7\nstartupTimeout: 50\njobQueueSize: 9\n")
    write_war(store / "flow.war", "models: {plain: {url: plain.mar}, set: {url: set.mar}}\ndag: {plain: [set]}\n")
    far = write_war(tmp_path / "far.war", PLAIN, ECHO).read_bytes()
    folder = tmp_path / "empty"
    folder.mkdir()
    with ExitStack() as stack:
        site = stack.enter_context(web_site())
        ports = free_ports(3)
        (folder / "config.properties").write_text(
            f"inference_address=https://127.0.0.1:{ports[0]}\nmanagement_address=http://127.0.0.1:{ports[1]}\n"
            f"metrics_address=http://127.0.0.1:{ports[2]}\ncertificate_file={CERTIFICATE}\n"
            f"private_key_file={CERTIFICATE.with_suffix('.key')}\nmodel_store=../models\nservice_envelope=json\n"
            f"allowed_urls=http://127.0.0.1:{site.port}/far.*\nload_models=all\nenable_model_api=true\n"
            "default_response_timeout=11\ndefault_startup_timeout=60\njob_queue_size=4\n"
            "cors_allowed_origin=https://page.example\ncors_allowed_methods=GET, POST\ncors_allowed_headers=X-A\n"
        )
        server = stack.enter_context(Served(folder, has_own_addresses=True))
        assert [server.ports[role] for role in ("inference", "management", "metrics")] == ports
        assert "0 workflows" in server.wait_for("ready: ")
        assert [any(key in line for line in server.lines) for key in ("load_models", "enable_model_api")] == [True] * 2
        assert server.manage("POST", "/models?url=plain.mar").status == 405
        assert server.manage("POST", "/workflows?url=flow.war").status == 200
        answer = encrypted(ports[0], "/predictions/flow__plain", '{"instances": [1, "two"]}')
        assert (answer.status, answer.json) == (200, {"predictions": [1, "two"]})
        allowed = [answer.headers[f"access-control-allow-{name}"] for name in ("origin", "methods", "headers")]
        assert allowed == ["https://page.example", "GET, POST", "X-A"]
        assert told_of(server, "flow", "plain") == (11, 60, 4)
        assert told_of(server, "flow", "set") == (7, 50, 9)
        assert server.manage("POST", f"/workflows?url={site.serve('/other.war', far)}").status == 404
        url = f"{site.serve('/far.war', far)}%23sha256={hashlib.sha256(far).hexdigest()}"
        assert server.manage("POST", f"/workflows?url={url}&response_timeout=3&startup_timeout=4").status == 200
        assert told_of(server, "far", "echo") == (3, 4, 4)
        assert not list(folder.glob("key_file*"))


def told_of(server: Served, workflow: str, node: str) -> tuple[int, int, int]:
    """Return the time-outs of a node, and how long its queue is."""
    (model,) = server.manage("GET", f"/models/{workflow}__{node}").json
    size = server.manage("GET", f"/workflows/{workflow}/nodes/{node}").json["queue"]["size"]
    return model["responseTimeout"], model["startupTimeout"], size


def encrypted(port: int, path: str, body: str) -> Answer:
    context = ssl.create_default_context(cafile=CERTIFICATE)
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


# A server that is told what its workers get

TELLING = """
import json, os, time

def tell(data, context):
    if data is None:
        return None
    with open(f"/proc/{os.getppid()}/environ") as file:
        above = [each.partition("=")[0] for each in file.read().split(chr(0))]
    return [json.dumps({"own": sorted(os.environ), "above": above, "about": context.system_properties})]

def sleep(data, context):
    if data is None:
        return None
    time.sleep(60)
"""
WORKING = """
default_response_timeout=1
default_startup_timeout=3
job_queue_size=5
limit_max_image_pixels=false
blacklist_env_vars=.*SECRET|HIDDEN_.*
disable_token_authorization=true
enable_metrics_api=false
ts_open_inference_protocol=true
workflow_store=store
inference_address=http://0.0.0.0:0
management_address=http://127.0.0.1:0
"""


def test_what_workers_get_and_how_long_they_may_take(tmp_path):
    folder, store = tmp_path / "flow", tmp_path / "flow" / "store"
    store.mkdir(parents=True)
    (folder / "workflow.yaml").write_text(
        "models: {max-workers: 1, retry-attempts: 0, timeout-ms: 50000}\ndag: {tell: [sleep]}\n"
        "wfctl: {nodes: {sleep: {isolate: false}}}\n"  # else it is tried again
    )
    (folder / "handler.py").write_text(TELLING)
    (folder / "config.properties").write_text(WORKING)
    write_war(store / "long.war", f"{PLAIN}wfctl: {{queue-size: 6}}\n", ECHO)
    write_war(store / "late.war", PLAIN, f"import time\ntime.sleep(60)\n{ECHO}")
    hidden = {"MY_SECRET": "1", "HIDDEN_WORD": "2", "NOT_HIDDEN_WORD": "3", "SECRETS": "4"}
    with Served(folder, ".", env=hidden, has_own_addresses=True, apis=2) as server:
        assert not (folder / "key_file.json").exists()  # although others get to it
        told = server.ask("POST", "/predictions/flow__tell", "x").json
        assert told["about"]["limit_max_image_pixels"] is False
        for names in (told["own"], told["above"]):
            assert {"PATH", *hidden} - set(names) == {"MY_SECRET", "HIDDEN_WORD"}
        assert server.ask("POST", "/v2/models/flow/infer", '{"inputs": []}').status != 404
        assert call(server.ports["inference"], "GET", "/metrics").status == 404

        began = time.monotonic()
        answer = server.ask("POST", "/predictions/flow__sleep", "x")
        assert answer.status >= 500
        assert 0.9 < time.monotonic() - began < 20

        assert server.manage("POST", "/workflows?url=long.war").status == 200
        assert [told_of(server, *names)[2] for names in (("flow", "tell"), ("long", "echo"))] == [5, 6]
        for query, seconds in (("", 3), ("&startup_timeout=1", 1)):
            answer = server.manage("POST", f"/workflows?url=late.war{query}")
            assert f"was not ready after {seconds} s" in answer.json["message"]


# A server that asks for keys


def test_keys_are_asked_for_also_on_this_machine_where_the_file_says_so(tmp_path):
    write_war(tmp_path / "flow.war", PLAIN, ECHO)
    (tmp_path / "config.properties").write_text("disable_token_authorization=false\ntoken_expiration_min=90.5\n")
    with Served(tmp_path, "flow.war") as server:
        key = json.loads((tmp_path / "key_file.json").read_text())["inference"]
        left = datetime.fromisoformat(key["expiration time"]) - datetime.now(UTC)
        assert 89 < left.total_seconds() / 60 <= 90.5
        assert server.ask("POST", "/wfpredict/flow", "x").status == 401
        assert server.ask("POST", "/wfpredict/flow", "x", Authorization=f"Bearer {key['key']}").body == b"x"
