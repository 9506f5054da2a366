"""Workflows that are managed while they are used: scaled, updated, versioned, taken away, restored."""

import gzip
import hashlib
import json
import signal
import threading

import pytest
from fakes.archives import write_mar, write_war
from fakes.hammer import Hammer
from fakes.served import Served, call
from fakes.servers import web_site

SPEC = "models: {max-workers: 1}\ndag: {answer: []}\n"


def answering(word, more=""):
    return f"{more}\ndef answer(data, context):\n    return data and ['{word}' for _ in data]\n"


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    write_war(folder / "flow.war", SPEC, answering("one"))
    write_war(folder / "flow2.war", SPEC, answering("two"))
    write_war(folder / "broken.war", SPEC, answering("x", more="import nonsense_module"))
    return folder


@pytest.fixture
def server(store):
    with Served(store, "--workflow-store", store, "flow.war") as server:
        yield server


def node(server, workflow="flow", name="answer"):
    answer = server.manage("GET", f"/workflows/{workflow}/nodes/{name}")
    assert answer.status == 200, answer
    return answer.json


def test_a_node_is_scaled_up_and_down_without_a_lost_request(server):
    with Hammer(server.ports["inference"], "/wfpredict/flow") as hammer:
        path = "/workflows/flow/nodes/answer"
        answer = server.manage("PUT", f"{path}?min_worker=3&max_worker=3&synchronous=true")
        assert (answer.status, answer.json) == (200, {"status": "Workers scaled to 3 for model: flow__answer"})
        assert len(node(server)["workers"]) == 3
        seen = hammer.count
        hammer.wait_until(lambda: hammer.count > seen + 200)
        assert server.manage("PUT", f"{path}?min_worker=1&max_worker=1&synchronous=true").status == 200
        assert len(node(server)["workers"]) == 1
        assert node(server)["settings"]["maxWorkers"] == 1
        seen = hammer.count
        hammer.wait_until(lambda: hammer.count > seen + 200)
    assert set(hammer.answers) == {(200, b"one")}
    assert not hammer.broken


def test_the_models_route_scales_too_and_does_not_wait_unless_it_is_told(server):
    answer = server.manage("PUT", "/models/flow__answer?min_worker=2")
    assert (answer.status, answer.json) == (202, {"status": "Processing worker updates..."})
    assert server.manage("PUT", "/models/flow__answer?min_worker=2&synchronous=true").status == 200
    (told,) = server.manage("GET", "/models/flow__answer").json
    assert (told["minWorkers"], told["maxWorkers"], len(told["workers"])) == (2, 2, 2)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("min_worker=3&max_worker=2", "max_worker cannot be less than min_worker."),
        ("min_worker=0&max_worker=0", "max_worker"),
        ("min_worker=-1", "min_worker"),
        ("min_worker=many", "min_worker"),
        ("min_worker=999999999", "min_worker"),
        ("min_worker=1&synchronous=perhaps", "synchronous"),
    ],
)
def test_numbers_that_are_none_are_refused(server, query, message):
    answer = server.manage("PUT", f"/workflows/flow/nodes/answer?{query}")
    assert (answer.status, answer.json["type"]) == (400, "BadRequestException")
    assert message in answer.json["message"]


def test_what_is_not_there_cannot_be_scaled(server):
    for path in ("/workflows/flow/nodes/nosuch", "/workflows/nosuch/nodes/answer", "/models/flow__nosuch"):
        assert server.manage("PUT", f"{path}?min_worker=1").status == 404


def test_an_update_in_place_loses_no_request(server):
    with Hammer(server.ports["inference"], "/wfpredict/flow") as hammer:
        hammer.wait_until(lambda: hammer.count > 200)
        answer = server.manage("PUT", "/workflows/flow?url=flow2.war")
        assert (answer.status, answer.json) == (200, {"status": 'Workflow "flow" updated'})
        hammer.wait_until(lambda: hammer.answers[200, b"two"] > 200)
    assert set(hammer.answers) == {(200, b"one"), (200, b"two")}
    assert not hammer.broken
    assert server.manage("GET", "/workflows").json["workflows"] == [
        {"workflowName": "flow", "workflowUrl": "flow2.war"}
    ]


def test_an_update_that_does_not_load_changes_nothing(server):
    answer = server.manage("PUT", "/workflows/flow?url=broken.war")
    assert (answer.status, answer.json["type"]) == (500, "WorkflowException")
    assert "nonsense_module" in answer.json["message"]
    assert b"Traceback" not in answer.body
    assert server.ask("POST", "/wfpredict/flow", "x").body == b"one"
    assert server.manage("PUT", "/workflows/nosuch?url=flow2.war").status == 404


def test_ten_thousand_requests_go_across_a_switch_of_versions_and_none_fails(server):
    register = "/workflows?url=flow2.war&workflow_name=flow&version=2.0"
    with Hammer(server.ports["inference"], "/wfpredict/flow", clients=32) as hammer:
        answer = server.manage("POST", register)
        assert answer.status == 200, answer
        assert "flow Version: 2.0 has been registered" in answer.json["status"]
        hammer.wait_until(lambda: hammer.count > 5_000)
        assert hammer.answers[200, b"two"] == 0
        answer = server.manage("PUT", "/workflows/flow/2.0/set-default")
        assert answer.json == {"status": 'Default version successfully updated for workflow "flow" to "2.0"'}
        switched = hammer.count
        assert server.manage("DELETE", "/workflows/flow/1.0").status == 200
        hammer.wait_until(lambda: hammer.count > switched + 5_000)
    assert set(hammer.answers) == {(200, b"one"), (200, b"two")}
    assert not hammer.broken
    assert hammer.count > 10_000


def test_an_update_without_a_url_opens_again_what_there_is(server, store):
    (store / "plain").mkdir()
    (store / "plain" / "workflow.yaml").write_text(SPEC)
    (store / "plain" / "handler.py").write_text(answering("before"))
    with Served(store, "plain", "--workflow-store", store) as other:
        (store / "plain" / "handler.py").write_text(answering("after"))
        assert other.manage("PUT", "/workflows/plain").status == 200
        assert other.ask("POST", "/wfpredict/plain", "x").body == b"after"


@pytest.mark.parametrize("version", ["all", "nodes", "..", "a b", "x" * 65])
def test_what_cannot_stand_in_a_path_is_no_version(server, version):
    path = "/workflows?url=flow2.war&workflow_name=flow&version=" + version.replace(" ", "%20")
    assert server.manage("POST", path).status == 400


def test_parameters_may_be_compressed_and_are_not_without_end(server):
    fields = {"Content_Type": "application/json", "Content_Encoding": "gzip"}
    told = gzip.compress(b'{"url": "flow2.war"}', mtime=0)
    assert server.manage("POST", "/workflows", told, **fields).status == 200
    assert server.manage("POST", "/workflows", gzip.compress(bytes(10**6), mtime=0), **fields).status == 413


def test_versions_stand_side_by_side(server):
    assert server.manage("POST", "/workflows?url=flow2.war&workflow_name=flow&version=2.0").status == 200
    bodies = [server.ask("POST", path, "x").body for path in ("/wfpredict/flow", "/wfpredict/flow/2.0")]
    assert bodies == [b"one", b"two"]
    assert server.ask("POST", "/wfpredict/flow/3.0").status == 404
    told = server.manage("GET", "/workflows/flow/all").json
    assert [(each["wfctl"]["version"], each["wfctl"]["isDefault"]) for each in told] == [("1.0", True), ("2.0", False)]
    answer = server.manage("DELETE", "/workflows/flow/1.0")
    assert (answer.status, answer.json["type"]) == (403, "InvalidModelVersionException")
    assert server.manage("POST", "/workflows?url=flow2.war&workflow_name=flow&version=2.0").status == 409
    assert server.manage("POST", "/workflows?url=flow2.war&workflow_name=flow&version=../3").status == 400
    assert server.manage("DELETE", "/workflows/flow").json == {"status": 'Workflow "flow" unregistered'}
    assert server.ask("POST", "/wfpredict/flow/2.0").status == 404


def test_of_two_who_register_one_name_at_a_time_one_is_told_that_it_is_taken(server):
    statuses = []
    paths = ["/workflows?url=flow2.war"] * 4
    threads = [
        threading.Thread(target=lambda path=path: statuses.append(server.manage("POST", path).status)) for path in paths
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(statuses) == [200, 409, 409, 409]


def test_a_workflow_that_goes_answers_what_it_has_begun(store, server):
    slow = "import time\ndef answer(data, context):\n    if data:\n        time.sleep(0.5)\n        return ['late']\n"
    write_war(store / "slow.war", SPEC, slow)
    assert server.manage("POST", "/workflows?url=slow.war").status == 200
    with Hammer(server.ports["inference"], "/wfpredict/slow", clients=2) as hammer:
        hammer.wait_until(lambda: hammer.count > 0)
        assert server.manage("DELETE", "/workflows/slow").status == 200
        hammer.wait_until(lambda: any(status == 404 for status, _ in hammer.answers))
    assert {status for status, _ in hammer.answers} == {200, 404}
    assert not hammer.broken


def test_what_is_served_outlives_the_server(store, tmp_path):
    state = tmp_path / "state.json"
    words = ("--workflow-store", store, "--state", state, "--restore")
    server = Served(store, *words)
    assert server.manage("POST", "/workflows?url=flow.war&workflow_name=mine").status == 200
    assert server.manage("POST", "/workflows?url=flow2.war&workflow_name=mine&version=2.0").status == 200
    assert server.manage("PUT", "/workflows/mine/2.0/set-default").status == 200
    assert server.manage("PUT", "/workflows/mine/nodes/answer?min_worker=2&synchronous=true").status == 200
    assert server.manage("POST", "/workflows?url=flow.war&workflow_name=gone").status == 200
    assert server.manage("DELETE", "/workflows/gone").status == 200
    server.stop(signal.SIGKILL)
    with Served(store, *words) as server:
        assert server.ask("POST", "/wfpredict/mine", "x").body == b"two"
        assert server.ask("POST", "/wfpredict/mine/1.0", "x").body == b"one"
        assert len(node(server, "mine")["workers"]) == 2
        assert server.ask("POST", "/wfpredict/gone").status == 404
    assert len(json.loads(state.read_text())["workflows"]) == 2  # ending is no change


def test_what_is_named_and_restored_is_served_once(store, tmp_path):
    words = ("flow.war", "--state", tmp_path / "state.json", "--restore")
    for _ in range(2):
        with Served(store, *words) as server:
            assert server.ask("POST", "/wfpredict/flow", "x").body == b"one"
            assert len(server.manage("GET", "/workflows").json["workflows"]) == 1


def test_a_state_that_is_none_is_refused(store, tmp_path):
    state = tmp_path / "state.json"
    state.write_text("[1]")
    with pytest.raises(AssertionError, match="bad-snapshot"):
        Served(store, "--workflow-store", store, "--state", state, "--restore")


def test_a_url_is_not_fetched_unless_it_is_allowed_and_not_run_unless_it_is_pinned(store):
    content = (store / "flow2.war").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    with web_site() as files:
        url = files.serve("/flow2.war", content)
        with Served(store, "--workflow-store", store) as server:
            answer = server.manage("POST", f"/workflows?url={url}")
            assert (answer.status, answer.json["type"]) == (404, "WorkflowNotFoundException")
            assert answer.json["message"] == f"Given URL {url} does not match any allowed URL(s)"
            assert not files.asked
        with Served(store, "--workflow-store", store, "--allow-url", files.url()) as server:
            assert server.manage("POST", f"/workflows?url={url}").status == 403
            assert server.manage("POST", f"/workflows?url={url}%23sha256={digest}").status == 200
            assert server.ask("POST", "/wfpredict/flow2", "x").body == b"two"
            answer = server.manage("POST", f"/workflows?url={files.url('/absent.war')}")
            assert (answer.status, answer.json["type"]) == (400, "DownloadArchiveException")
    assert not [path.name for path in store.iterdir() if path.name not in {"flow.war", "flow2.war", "broken.war"}]


@pytest.mark.parametrize(
    "url", ["..%2Fflow.war", "%2Fetc%2Fpasswd", "a%2F..%2F..%2Fx", ".", "%00", "x%5Cy", "file:///etc/passwd"]
)
def test_no_url_leads_out_of_the_store(server, url):
    answer = server.manage("POST", f"/workflows?url={url}")
    assert answer.status in {400, 404}, answer
    assert b"root:" not in answer.body


def test_a_link_out_of_the_store_is_not_followed(store, tmp_path, server):
    write_mar(tmp_path / "x.mar")
    write_war(tmp_path / "outside.war", SPEC, answering("outside"))
    (store / "link.war").symlink_to(tmp_path / "outside.war")
    assert server.manage("POST", "/workflows?url=link.war").status == 404


def test_keys_open_what_they_are_for_and_nothing_else(store):
    with Served(store, "--token-auth", "flow.war") as server:
        keys = json.loads((store / "key_file.json").read_text())
        use, manage, renew = (keys[role]["key"] for role in ("inference", "management", "API"))

        def status(role, method, path, key=None, scheme="Bearer"):
            fields = {} if key is None else {"Authorization": f"{scheme} {key}"}
            return call(server.ports[role], method, path, b"x" if method == "POST" else b"", fields).status

        assert status("inference", "POST", "/wfpredict/flow", use) == 200
        assert status("inference", "POST", "/wfpredict/flow", use, "bearer") == 200
        assert status("management", "GET", "/workflows", manage) == 200
        for key in (None, manage, renew, "wrong", use + "x", f"{use} {use}"):
            assert status("inference", "POST", "/wfpredict/flow", key) == 401
        for key in (None, use, renew, "wrong"):
            for path in ("/workflows", "/workflows?x=/token", "/workflows/token", "/nowhere", "/workflows/flow/1.0"):
                assert status("management", "GET", path, key) == 401
        for path in ("/token", "//workflows", "/./workflows", "/%77orkflows", "/workflows/"):
            assert status("management", "GET", path, "wrong") in {400, 401}
        for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "BREW"):
            assert status("management", method, "/workflows/flow") == 401
        assert status("inference", "GET", "/ping") == 401
        assert status("inference", "GET", "/ping?token=" + use) == 401
        assert status("metrics", "GET", "/metrics") != 401
        answer = server.ask("POST", "/wfpredict/nosuch", "x")
        assert (answer.status, answer.json) == (
            401,
            {
                "code": 401,
                "type": "InvalidKeyException",
                "message": "Token Authorization failed. Token either incorrect, expired, or not provided correctly",
            },
        )
        assert server.ask("OPTIONS", "/").status == 200

        assert status("management", "GET", "/token?type=inference", manage) == 401
        assert status("management", "GET", "/token?type=everything", renew) == 400
        assert status("management", "GET", "/token?type=inference", renew) == 200
        fresh = json.loads((store / "key_file.json").read_text())["inference"]["key"]
        assert fresh != use
        assert status("inference", "POST", "/wfpredict/flow", use) == 401
        assert status("inference", "POST", "/wfpredict/flow", fresh) == 200
        assert not [line for line in server.lines if use in line or manage in line]
    assert not (store / "key_file.json").exists()


def test_pages_of_others_and_names_of_others_are_refused_and_plain_clients_are_not(server):
    port = server.ports["management"]
    assert call(port, "POST", "/workflows?url=flow2.war", b"", {"Content-Type": "text/plain"}).status == 200
    for fields in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": f"evil.example:{port}"},
    ):
        for role in ("inference", "management"):
            assert call(server.ports[role], "GET", "/ping", b"", fields).status == 403
    own = f"http://127.0.0.1:{port}"
    assert call(port, "GET", "/workflows", b"", {"Origin": own, "Sec-Fetch-Site": "same-origin"}).status == 200


def test_answers_carry_what_cors_asks_for_where_it_is_configured(store):
    (store / "config.properties").write_text(
        "cors_allowed_origin=https://page.example\ncors_allowed_methods=GET, POST\ncors_allowed_headers=X-A\n"
    )
    with Served(store, "--token-auth", "flow.war") as server:
        page = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
        answer = call(server.ports["inference"], "OPTIONS", "/wfpredict/flow", b"", page)
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == "https://page.example"
        assert answer.headers["access-control-allow-methods"] == "GET, POST"
        assert call(server.ports["inference"], "POST", "/wfpredict/flow", b"x", page).status == 401
