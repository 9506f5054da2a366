"""Clients that people use, against a real server: curl, requests, httpx, wrk and newman."""

import asyncio
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import requests
from fakes.archives import write_war
from fakes.clients_postman import ASSERTIONS, collection
from fakes.served import Served

HANDLER = """
import hashlib

def told(data, context):
    if data is None:
        return None
    row = {}
    for name, value in data[0].items():
        if isinstance(value, (bytes, bytearray)):
            value = bytes(value)
            value = hashlib.sha256(value).hexdigest() if len(value) > 1000 else value.decode("latin-1")
        row[name] = value
    return [{"row": row, "id": context.get_request_id()}]
"""
ONE = "models: {max-workers: 1}\n"
INSTALLED_BY = {"curl": "apt-get install curl", "wrk": "apt-get install wrk", "newman": "npm install --global newman"}
LARGE = b"0123456789abcdef" * 2**17
"""Two megabytes."""
SUM_OF_LARGE = hashlib.sha256(LARGE).hexdigest()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    write_war(store / "told.war", f"{ONE}dag: {{told: []}}\n", HANDLER)
    write_war(store / "more.war", f"{ONE}dag: {{told: []}}\n", HANDLER)
    with Served(store, store / "told.war", "--workflow-store", store) as server:
        yield server


@pytest.fixture(scope="module")
def url(server):
    return f"http://127.0.0.1:{server.ports['inference']}"


def tool(name: str) -> str:
    """Return where a tool lies; a client that is not here was not tried."""
    found = shutil.which(name)
    assert found is not None, f'the client "{name}" is not on this machine: {INSTALLED_BY[name]}'
    return found


def curl(*words: object, body: bytes = b"") -> tuple[dict, bytes, str]:
    """Run it; returns what it measured, the last answer's body and what it said of the connection."""
    done = subprocess.run(
        [tool("curl"), "-q", "-sSv", "--noproxy", "*", "--max-time", "60", "-w", "\n%{json}", *map(str, words)],
        input=body,
        capture_output=True,
        timeout=120,
    )
    said = done.stderr.decode()
    assert done.returncode == 0, said
    answer, _, measured = done.stdout.rpartition(b"\n")
    return json.loads(measured), answer, said


# curl


CURL_SENDS = {
    "json": (["-H", "Content-Type: application/json", "-d", '{"n": [1, 2]}'], b"", {"body": {"n": [1, 2]}}),
    "a form": (["-d", "a=1", "--data-urlencode", "b=2 & 3"], b"", {"a": "1", "b": "2 & 3"}),
    "bytes": (["-H", "Content-Type:", "--data-binary", "@-"], b"plain", {"body": "plain"}),
    "bytes of no known length": (["-X", "POST", "-H", "Content-Type:", "-T", "-"], b"in chunks", {"body": "in chunks"}),
    "a compressed body": (
        ["-H", "Content-Encoding: gzip", "-H", "Content-Type: application/json", "--data-binary", "@-"],
        gzip.compress(b'{"n": 1}', mtime=0),
        {"body": {"n": 1}},
    ),
    "an answer that may be compressed": (["--compressed", "-H", "Content-Type:", "-d", "x"], b"", {"body": "x"}),
    "by HTTP/1.0": (["--http1.0", "-H", "Content-Type:", "-d", "old"], b"", {"body": "old"}),
    "with a word on HTTP/2": (["--http2", "-H", "Content-Type:", "-d", "new"], b"", {"body": "new"}),
    "two megabytes": (["-H", "Content-Type:", "--data-binary", "@-"], LARGE, {"body": SUM_OF_LARGE}),
}


@pytest.mark.parametrize(("words", "body", "row"), CURL_SENDS.values(), ids=CURL_SENDS)
def test_curl_sends(url, words, body, row):
    measured, answer, _ = curl(*words, f"{url}/wfpredict/told", body=body)
    assert (measured["http_code"], measured["http_version"]) == (200, "1.1")
    assert json.loads(answer)["row"] == row


def test_curl_sends_a_form_with_a_file(url, tmp_path):
    (tmp_path / "n.json").write_text('{"n": 1}')
    (tmp_path / "large").write_bytes(LARGE)
    words = [
        "-F",
        "text=hello",
        "-F",
        f"file=@{tmp_path}/n.json;type=application/json",
        "-F",
        f"large=@{tmp_path}/large",
    ]
    _, answer, _ = curl(*words, f"{url}/wfpredict/told")
    assert json.loads(answer)["row"] == {"text": "hello", "file": {"n": 1}, "large": SUM_OF_LARGE}


def test_curl_waits_for_leave_to_send_much(url):
    words = ["-H", "Expect: 100-continue", "--expect100-timeout", "30", "--data-binary", "@-", "-H", "Content-Type:"]
    measured, answer, said = curl(*words, f"{url}/wfpredict/told", body=LARGE)
    assert "< HTTP/1.1 100 Continue" in said
    assert measured["http_code"] == 200
    assert json.loads(answer)["row"] == {"body": SUM_OF_LARGE}
    measured, answer, said = curl(*words, f"{url}/wfpredict/nosuch", body=LARGE)
    assert "100 Continue" not in said
    assert (measured["http_code"], measured["size_upload"]) == (404, 0)
    assert json.loads(answer)["code"] == 404


def test_curl_is_told_what_is_too_much_while_it_sends(url):
    for words in (["-H", "Expect:"], []):
        measured, answer, _ = curl(*words, "--data-binary", "@-", f"{url}/wfpredict/told", body=4 * LARGE)
        assert measured["http_code"] == json.loads(answer)["code"] == 413


def test_curl_asks_for_a_head_alone(url):
    measured, answer, _ = curl("-I", f"{url}/ping")
    assert (measured["http_code"], measured["size_download"]) == (200, 0)
    assert b"content-length: " in answer.lower()


def test_curl_keeps_its_connection(url):
    words = ["-o", "/dev/null", "-d", "x"]
    places = [f"{url}/wfpredict/told", f"{url}/wfpredict/nosuch", f"{url}/ping"]
    done = subprocess.run(
        [tool("curl"), "-q", "-sS", "--noproxy", "*", "-w", "%{http_code} %{num_connects}\n"]
        + [word for place in places for word in (*words, place)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split("\n")[:3] == ["200 1", "404 0", "405 0"]


def test_curl_by_http_1_0_may_keep_its_connection_if_it_asks(url):
    _, _, said = curl("--http1.0", f"{url}/ping")
    assert "< connection: close" in said.lower()
    _, _, said = curl("--http1.0", "-H", "Connection: keep-alive", f"{url}/ping", f"{url}/ping")
    assert "Re-using existing connection" in said


def test_curl_offers_http_2_and_goes_on_without(url):
    measured, _, said = curl("--http2", f"{url}/ping")
    assert "> Upgrade: h2c" in said
    assert (measured["http_code"], measured["http_version"]) == (200, "1.1")


# requests and httpx


def chunks():
    for at in range(0, len(LARGE), 100_000):
        yield LARGE[at : at + 100_000]


async def chunks_in_time():
    for each in chunks():
        yield each


FILES = {"text": (None, "hello"), "file": ("n.json", b'{"n": 1}', "application/json")}
SENT = [
    ({"json": {"n": [1, None]}}, {"body": {"n": [1, None]}}),
    ({"data": {"a": "1", "b": "é & ü"}}, {"a": "1", "b": "é & ü".encode().decode("latin-1")}),
    ({"files": FILES}, {"text": "hello", "file": {"n": 1}}),
]


@pytest.fixture(params=["requests", "httpx"])
def session(request):
    """Return a client that keeps its connections."""
    if request.param == "requests":
        with requests.Session() as session:
            session.trust_env = False
            yield session
    else:
        with httpx.Client(trust_env=False, http2=False, timeout=60) as client:
            yield client


@pytest.mark.parametrize(("sent", "row"), SENT, ids=["json", "form", "files"])
def test_python_clients_send(session, url, sent, row):
    answer = session.post(f"{url}/wfpredict/told", **sent)
    assert (answer.status_code, answer.json()["row"]) == (200, row)


def test_python_clients_send_bytes_large_ones_and_such_of_no_known_length(session, url):
    keyword = "data" if isinstance(session, requests.Session) else "content"
    for body in (LARGE, chunks()):
        assert session.post(f"{url}/wfpredict/told", **{keyword: body}).json()["row"] == {"body": SUM_OF_LARGE}
    packed = gzip.compress(LARGE, mtime=0)
    answer = session.post(f"{url}/wfpredict/told", **{keyword: packed}, headers={"Content-Encoding": "gzip"})
    assert answer.json()["row"] == {"body": SUM_OF_LARGE}
    for target, status in (("told", 413), ("nosuch", 404)):
        assert session.post(f"{url}/wfpredict/{target}", **{keyword: 4 * LARGE}).status_code == status


def test_python_clients_ask_for_whatever_there_is(session, server, url):
    answer = session.head(f"{url}/ping")
    assert (answer.status_code, answer.content) == (200, b"")
    assert session.options(url).status_code == 200
    assert session.get(f"{url}/ping").json() == {"status": "Healthy"}
    assert session.get(f"{url}/nowhere").status_code == 404
    assert session.delete(f"{url}/wfpredict/nosuch").status_code == 404
    management = f"http://127.0.0.1:{server.ports['management']}"
    assert session.post(f"{management}/workflows", params={"url": "more.war"}).status_code == 200
    assert session.get(f"{management}/workflows/more").json()[0]["workflowName"] == "more"
    assert session.delete(f"{management}/workflows/more").status_code == 200


def test_requests_in_threads_get_their_own_answers(url):
    def ask(number: int) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            answers = [session.post(f"{url}/wfpredict/told", json=[number, at]) for at in range(50)]
        return [answer.json()["row"]["body"] for answer in answers] == [[number, at] for at in range(50)]

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(16)))


def test_httpx_asks_many_at_a_time(url):
    async def asked() -> list[object]:
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(trust_env=False, http2=False, timeout=60, limits=limits) as client:
            large = await client.post(f"{url}/wfpredict/told", content=chunks_in_time())
            assert large.json()["row"] == {"body": SUM_OF_LARGE}
            answers = await asyncio.gather(
                *(client.post(f"{url}/wfpredict/told", json={"n": number}) for number in range(500))
            )
        assert {answer.http_version for answer in answers} == {"HTTP/1.1"}
        return [answer.json()["row"]["body"]["n"] for answer in answers]

    assert asyncio.run(asked()) == list(range(500))


def test_httpx_that_waits_no_longer_leaves_a_server_that_goes_on(url):
    async def left() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            for _ in range(20):
                with pytest.raises(httpx.TimeoutException):
                    await client.post(f"{url}/wfpredict/told", content=LARGE, timeout=0.0001)
            assert (await client.post(f"{url}/wfpredict/told", content=b"x")).json()["row"] == {"body": "x"}

    asyncio.run(left())


# wrk

WRK_POSTS = 'wrk.method = "POST"\nwrk.body = "hello"\nwrk.headers["Content-Type"] = "text/plain"\n'
WRK_PIPELINES = WRK_POSTS + "request = function()\n  local one = wrk.format()\n  return one .. one .. one .. one\nend\n"


@pytest.mark.parametrize("script", ["", WRK_POSTS, WRK_PIPELINES], ids=["gets", "posts", "pipelines"])
def test_wrk_meets_no_error(url, tmp_path, script):
    (tmp_path / "wrk.lua").write_text(script)
    target = f"{url}/wfpredict/told" if script else f"{url}/ping"
    done = subprocess.run(
        [tool("wrk"), "-t1", "-c64", "-d3s", "-s", tmp_path / "wrk.lua", target],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Socket errors" not in done.stdout, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    assert int(re.search(r"(\d+) requests in", done.stdout)[1]) > 1000, done.stdout


# newman


def test_newman_runs_a_collection_over_inference_and_management(server, tmp_path):
    asked = collection(server.ports["inference"], server.ports["management"])
    (tmp_path / "collection.json").write_text(json.dumps(asked))
    report = tmp_path / "report.json"
    words = ["run", "collection.json", "--reporters", "json", "--reporter-json-export", report]
    done = subprocess.run([tool("newman"), *words], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    run = json.loads(report.read_text())["run"]
    assert [failure["error"]["message"] for failure in run["failures"]] == []
    assert run["stats"]["requests"] == {"total": len(asked["item"]), "pending": 0, "failed": 0}
    assert run["stats"]["assertions"] == {"total": ASSERTIONS, "pending": 0, "failed": 0}
    assert done.returncode == 0, done.stdout + done.stderr
