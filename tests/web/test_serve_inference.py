"""Running workflows over HTTP: what reaches the handlers, and what comes back from the leaf."""

import gzip
import json
import socket
import time

import pytest
from fakes.archives import write_mar, write_war
from fakes.served import Served

HANDLER = """
import json, time

def told(data, context):
    if data is None:
        return None
    headers = context.get_all_request_header(0)
    row = {name: value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value
           for name, value in data[0].items()}
    return [{"row": row, "id": context.get_request_id(), "explain": headers.get("explain"),
             "path": headers.get("url_path"), "names": sorted(headers)}]

def first(data, context):
    return None if data is None else [{"id": context.get_request_id(), "body": str(data[0].get("body"))}]

def last(data, context):
    if data is None:
        return None
    before = json.loads(data[0]["body"])
    return [{"first": before["id"], "last": context.get_request_id()}]

def picture(data, context):
    if data is None:
        return None
    context.set_response_content_type(0, "image/png")
    context.set_response_header(0, "X-Model-Time", "12")
    context.set_response_header(0, "Transfer-Encoding", "chunked")
    context.set_response_status(201, "made", 0)
    return [b"\\x89PNG"]

def teapot(data, context):
    if data is None:
        return None
    context.set_response_status(418, "short and stout", 0)
    return ["unused"]

def slow(data, context):
    if data is None:
        return None
    time.sleep(float(data[0]["body"]))
    return ["slept"]

def double(data, context):
    if data is None:
        return None
    value = data[0].get("body")
    if isinstance(value, (bytes, bytearray)):
        value = json.loads(value)
    return [[2 * each for each in value] if isinstance(value, list) else value]

def label(data, context):
    return None if data is None else [{"label": "cat", "score": 0.5, "more": {"a": [1, None]}}]

def none(data, context):
    return None if data is None else [{}]

def empty(data, context):
    return None if data is None else [{"outputs": []}]

def endless(data, context):
    return None if data is None else ["[1e999]"]

def deep(data, context):
    return None if data is None else ["[" * 600 + "1" + "]" * 600]

def split(data, context):
    return None if data is None else [b'{"id": "x\\\\r\\\\n"}']

def evil(data, context):
    if data is None:
        return None
    context.set_response_header(0, "X-A", "1\\r\\nX-B: 2")
    return ["x"]
"""
SPECS = {
    "told": "dag: {told: []}",
    "ids": "dag: {first: [last]}",
    "picture": "dag: {picture: []}",
    "teapot": "dag: {teapot: []}",
    "slow": "dag: {slow: []}",
    "double": "dag: {double: []}",
    "chain2": "dag: {double: [label]}",
    "many": "dag: {double: [label, told]}",
    "evil": "dag: {evil: []}",
    "bare": "dag: {double: [none, label, empty]}",
    "barest": "dag: {double: [none, empty]}",
    "endless": "dag: {endless: []}",
    "deep": "dag: {deep: []}",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    wars = [
        write_war(store / f"{name}.war", f"models: {{max-workers: 1}}\n{dag}\n", HANDLER) for name, dag in SPECS.items()
    ]
    with Served(store, *wars) as server:
        yield server


def told(server, body=b"", path="/wfpredict/told", method="POST", **headers):
    answer = server.ask(method, path, body, **headers)
    assert answer.status == 200, answer
    return answer.json


def test_progress_is_told_node_by_node_and_what_listens_is_true(server):
    for name in SPECS:
        server.wait_for(f"loaded {name}:")
    assert any("chain2 label: worker" in line for line in server.lines)
    assert set(server.ports) == {"inference", "management", "metrics"}
    for port in server.ports.values():
        socket.create_connection(("127.0.0.1", port)).close()


def test_a_form_reaches_the_entry_field_by_field(server):
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert told(server, "data=a+b&k=%C3%A9", **form)["row"] == {"data": "a b", "k": "Ã©"}


def test_parts_of_a_multipart_body_are_decoded_if_they_are_files(server):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{"n": 1}\r\n'
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.json"\r\n'
        b'Content-Type: application/json\r\n\r\n{"n": 1}\r\n--x--\r\n'
    )
    row = told(server, body, Content_Type="multipart/form-data; boundary=x")["row"]
    assert row == {"a": '{"n": 1}', "f": {"n": 1}}


def test_a_body_may_be_compressed(server):
    body = gzip.compress(b'{"n": [1, 2]}', mtime=0)
    row = told(server, body, Content_Type="application/json", Content_Encoding="gzip")["row"]
    assert row == {"body": {"n": [1, 2]}}


def test_the_id_of_a_request_is_the_same_at_every_node_and_in_the_answer(server):
    answer = server.ask("POST", "/wfpredict/ids", "x", X_Request_Id="order-66/a.b:c=@+")
    assert answer.json == {"first": "order-66/a.b:c=@+", "last": "order-66/a.b:c=@+"}
    assert answer.headers["x-request-id"] == "order-66/a.b:c=@+"
    answer = server.ask("POST", "/wfpredict/ids", "x")
    assert answer.json["first"] == answer.json["last"] == answer.headers["x-request-id"]
    assert len(answer.headers["x-request-id"]) == 36


@pytest.mark.parametrize("sent", ["x" * 129, "a b", "é".encode().decode("latin-1"), "a,b", ""])
def test_an_id_that_is_none_is_not_taken_over(server, sent):
    answer = server.ask("POST", "/wfpredict/ids", "x", X_Request_Id=sent)
    assert len(answer.headers["x-request-id"]) == 36
    assert answer.json["first"] == answer.headers["x-request-id"]


def test_every_answer_has_an_id_and_is_not_to_be_kept(server):
    for path in ("/wfpredict/nosuch", "/nowhere", "/ping", "/wfpredict/told"):
        fields = server.ask("GET", path).headers
        assert fields["x-request-id"]
        assert fields["cache-control"] == "no-cache; no-store, must-revalidate, private"
        assert (fields["pragma"], fields["expires"]) == ("no-cache", "Thu, 01 Jan 1970 00:00:00 UTC")


def test_type_headers_and_status_are_what_the_leaf_set(server):
    answer = server.ask("POST", "/wfpredict/picture", "x")
    assert (answer.status, answer.body) == (201, b"\x89PNG")
    assert (answer.headers["content-type"], answer.headers["x-model-time"]) == ("image/png", "12")
    assert "transfer-encoding" not in answer.headers


def test_a_verdict_of_the_leaf_is_the_answer(server):
    answer = server.ask("POST", "/wfpredict/teapot", "x")
    assert (answer.status, answer.json["message"]) == (418, "short and stout")


def test_a_header_that_would_be_two_is_no_answer(server):
    answer = server.ask("POST", "/wfpredict/evil", "x")
    assert answer.status == 500
    assert "'X-A': '1\\r\\nX-B: 2'" in answer.json["message"]
    assert "x-b" not in answer.headers


@pytest.mark.parametrize("text", ["0.3", "300ms", "0.3s"])
def test_a_client_says_how_long_it_waits(server, text):
    began = time.monotonic()
    answer = server.ask("POST", "/wfpredict/slow", "2", X_Request_Timeout=text, Content_Type="text/plain")
    assert answer.status == 504
    assert time.monotonic() - began < 1.9
    assert "0.3 s" in answer.json["message"]


@pytest.mark.parametrize("text", ["0", "-1", "soon", "1e3", "nan", "inf", "1 2"])
def test_a_time_that_is_none_is_refused(server, text):
    answer = server.ask("POST", "/wfpredict/told", "x", X_Request_Timeout=text)
    assert (answer.status, answer.json["type"]) == (400, "BadRequestException")
    assert "x-request-timeout" in answer.json["message"]


def test_explanations_and_the_rest_of_a_path_are_told_to_the_handler(server):
    assert told(server, "x", "/explanations/told__told")["explain"] == "True"
    assert told(server, "x", "/predictions/told__told/1.0/v1/more")["path"] == "v1/more"
    assert told(server, "x")["explain"] is None


def test_a_head_request_is_answered_without_a_body_and_a_connection_goes_on_after_refusals(server):
    with socket.create_connection(("127.0.0.1", server.ports["inference"])) as client:
        client.sendall(
            b"HEAD /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
            b"POST /wfpredict/nosuch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
            b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
            b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        whole = b""
        while piece := client.recv(65536):
            whole += piece
    assert [line.split(b" ")[1] for line in whole.split(b"HTTP/1.1 ")[1:] for line in [b"x " + line]] == [
        b"200",
        b"404",
        b"404",
        b"200",
    ]
    assert whole.count(b'"Healthy"') == 1


def test_who_waits_to_send_a_body_is_told_first_whether_it_is_wanted(server):
    head = "POST %s HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.ports["inference"])) as client:
        client.sendall((head % "/wfpredict/nosuch").encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 404 ")
    with socket.create_connection(("127.0.0.1", server.ports["inference"])) as client:
        client.sendall((head % "/wfpredict/told").encode())
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")


def tensor(name, data, shape, datatype="INT64"):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def infer(server, workflow, *inputs, **more):
    return server.ask("POST", f"/v2/models/{workflow}/infer", json.dumps({"inputs": list(inputs), **more}))


def test_tensors_go_in_by_name_and_come_out_in_the_protocols_form(server):
    answer = infer(server, "double", tensor("x", [1, 2, 3, 4], [2, 2]), id="mine")
    assert answer.status == 200
    assert answer.json == {
        "model_name": "double",
        "model_version": "1.0",
        "id": "mine",
        "outputs": [tensor("double", [1, 2, 1, 2, 3, 4, 3, 4], [2, 4])],
    }
    row = json.loads(infer(server, "told", tensor("a", ["é"], [1], "BYTES"), tensor("b", 0.5, [1], "FP32")).body)
    told_row = next(each for each in row["outputs"] if each["name"] == "row")
    assert json.loads(told_row["data"][0]) == {"a": "é", "b": [0.5]}


def test_what_is_no_tensor_comes_out_as_json_under_its_key(server):
    answer = infer(server, "chain2", tensor("x", [1], [1]))
    assert answer.json["outputs"] == [
        tensor("label", ["cat"], [1], "BYTES"),
        tensor("score", [0.5], [1], "FP64"),
        tensor("more", ['{"a": [1, null]}'], [1], "BYTES"),
    ]
    assert "id" not in answer.json


def test_tensors_of_several_leaves_have_the_leafs_name_before_theirs(server):
    names = [each["name"] for each in infer(server, "many", tensor("x", [1], [1])).json["outputs"]]
    assert names[:3] == ["label.label", "label.score", "label.more"]
    assert "told.row" in names


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{nope", "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "inputs"),
        ('{"inputs": []}', "inputs"),
        ('{"inputs": [1]}', "inputs[0]"),
        ('{"inputs": [{"name": "x", "shape": [1], "datatype": "INT64"}]}', "data"),
        (json.dumps({"inputs": [tensor("x", [1, 2], [3])]}), "2 elements do not fill shape [3]"),
        (json.dumps({"inputs": [tensor("x", [1], [1], "COMPLEX")]}), "COMPLEX"),
        (json.dumps({"inputs": [tensor("x", ["a"], [1])]}), "INT64"),
        (json.dumps({"inputs": [tensor("x", [1], [-1])]}), "shape"),
        (json.dumps({"inputs": [tensor("x", [], [2**31 - 1, 0], "FP32")]}), "shape"),
        (json.dumps({"inputs": [tensor("x", [1.5], [1])]}), "1.5 is no INT64"),
        (json.dumps({"inputs": [tensor("x", [-1], [1], "UINT8")]}), "-1 is no UINT8"),
        (json.dumps({"inputs": [tensor("x", [1], [1]), tensor("x", [2], [1])]}), "two tensors"),
        (json.dumps({"inputs": [tensor("x", [1], [1], [])]}), "datatype"),
        (json.dumps({"inputs": [tensor("x", [1], [1], "\ud800")]}), "\ud800"),
        (json.dumps({"inputs": [tensor("\ud800", [1], [1])] * 2}), "two tensors"),
        (json.dumps({"id": 5, "inputs": [tensor("x", [1], [1])]}), "id"),
        ('{"inputs": ' + "[" * 5000 + "]" * 5000 + "}", "the request is nested too deep to be read"),
    ],
)
def test_a_request_that_is_none_of_the_protocol_is_a_400_that_says_why(server, body, reason):
    answer = server.ask("POST", "/v2/models/double/infer", body)
    assert answer.status == 400, answer
    assert reason in answer.json["message"]
    assert answer.json["type"] == "BadRequestException"


@pytest.mark.parametrize("path", ["/v2/models/double/infer", "/v1/models/double:predict"])
def test_a_form_without_a_field_is_a_400_that_says_why(server, path):
    answer = server.ask("POST", path, b"", Content_Type="application/x-www-form-urlencoded")
    assert (answer.status, answer.json["type"]) == (400, "BadRequestException")
    assert answer.json["message"] == "the request has no body"


def test_a_leaf_that_has_no_tensors_adds_none_to_those_of_the_others(server):
    names = [each["name"] for each in infer(server, "bare", tensor("x", [1], [1])).json["outputs"]]
    assert names == ["label.label", "label.score", "label.more"]
    assert infer(server, "barest", tensor("x", [1], [1])).json["outputs"] == []


def test_a_number_without_end_and_an_answer_without_a_ground_come_out_as_json(server):
    answer = infer(server, "endless", tensor("x", [1], [1]))
    assert answer.json["outputs"] == [tensor("endless", ["[null]"], [1], "BYTES")]
    answer = server.ask("POST", "/v1/models/endless:predict", '{"instances": []}')
    assert answer.body == b'{"predictions": [null]}\n'
    (deep,) = infer(server, "deep", tensor("x", [1], [1])).json["outputs"]
    assert (deep["datatype"], deep["data"]) == ("BYTES", ["[" * 600 + "1" + "]" * 600])


def test_an_empty_tensor_is_one(server):
    rows = infer(server, "told", tensor("x", [], [2, 0])).json["outputs"]
    assert json.loads(next(each for each in rows if each["name"] == "row")["data"][0])["x"] == [[], []]


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_any_method_runs_a_workflow_but_those_that_mean_something_else(server, method):
    with socket.create_connection(("127.0.0.1", server.ports["inference"])) as client:
        client.sendall(f"{method} /wfpredict/told HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 405 ")


def test_a_node_has_the_version_of_its_archive_and_no_other(server):
    answer = server.ask("POST", "/predictions/told__told/9.9", "x")
    assert (answer.status, answer.json["type"]) == (404, "ModelVersionNotFoundException")


def test_the_protocol_says_of_the_server_and_of_workflows_what_they_are(server):
    assert server.ask("GET", "/v2").json["name"] == "wfctl"
    assert server.ask("GET", "/v2/health/live").json == {"live": True}
    assert server.ask("GET", "/v2/health/ready").json == {"ready": True}
    assert server.ask("GET", "/v2/models/double/ready").json == {"name": "double", "ready": True}
    described = server.ask("GET", "/v2/models/many/versions/1.0").json
    assert (described["name"], described["versions"], described["platform"]) == ("many", ["1.0"], "wfctl_workflow")
    assert [each["name"] for each in described["outputs"]] == ["label", "told"]
    assert server.ask("GET", "/v2/models/nosuch").status == 404
    assert server.ask("GET", "/v2/models/double/versions/9").status == 404


def test_version_one_wraps_predictions(server):
    answer = server.ask("POST", "/v1/models/told:predict", '{"instances": [[1], [2]]}', Content_Type="application/json")
    (row,) = answer.json["predictions"]
    assert row["row"] == {"body": {"instances": [[1], [2]]}}
    answer = server.ask("POST", "/v1/models/many:predict", '{"instances": []}')
    assert list(answer.json["predictions"][0]) == ["label", "told"]
    assert server.ask("GET", "/v1/models/told").json == {"name": "told", "ready": True}
    assert server.ask("POST", "/v1/models/told:predict", "[1]").status == 400


def test_bodies_are_not_decoded_where_the_configuration_says_so(tmp_path):
    (tmp_path / "config.properties").write_text("decode_input_request=false\ngrpc_inference_port=7070\n")
    war = write_war(tmp_path / "told.war", "models: {max-workers: 1}\ndag: {told: []}\n", HANDLER)
    with Served(tmp_path, war) as server:
        assert told(server, '{"n": 1}', Content_Type="application/json")["row"] == {"body": '{"n": 1}'}
        assert any("grpc_inference_port" in line for line in server.lines)


def test_a_client_that_leaves_within_its_body_has_nothing_run(tmp_path):
    marker = tmp_path / "ran"
    handler = (
        f"def mark(data, context):\n    if data:\n        open({str(marker)!r}, 'w').close()\n        return ['x']\n"
    )
    war = write_war(tmp_path / "mark.war", "models: {max-workers: 1}\ndag: {mark: []}\n", handler)
    write_mar(tmp_path / "unused.mar")
    with Served(tmp_path, war) as server:
        with socket.create_connection(("127.0.0.1", server.ports["inference"])) as client:
            client.sendall(b"POST /wfpredict/mark HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(65536).startswith(b"HTTP/1.1 400 ")
        assert not marker.exists()
        assert server.ask("POST", "/wfpredict/mark", "x").body == b"x"
        assert marker.exists()
