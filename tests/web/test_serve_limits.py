"""What a server does not put up with: too much, too slow, too many, too strange; and what it costs it."""

import asyncio
import gzip
import json
import os
import resource
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from fakes.archives import write_war
from fakes.clients import Client, chunk, open_files, request, resident_megabytes, slope, until
from fakes.clients_hostile import FORMS, JSONS, MANAGEMENT, SPLITTING, TENSORS
from fakes.served import Served, call

from wfctl.service.prepare import Request
from wfctl.service.registry import Registry
from wfctl.service.wishes import WishMaker
from wfctl.web.config.addresses import Address, Role
from wfctl.web.config.settings import ServerSettings
from wfctl.web.front_end import FrontEnd, FrontEndOptions
from wfctl.web.wire.budget import Budget
from wfctl.web.wire.patience import Patience

LIMIT = 1_000_000
_LISTENS = "0A"
SECRET = "do-not-tell-4711"
ECHO = """
import os

def kind(data, context):
    return data and [type(row.get("body", row)).__name__ for row in data]

def dies(data, context):
    return data and os._exit(3)

def echo(data, context):
    return data and [row.get("body", row) for row in data]
"""
HELD = """
def held(data, context):
    if data is None:
        return None
    with open("{folder}/ran", "a") as ran:
        ran.write(bytes(data[0]["body"]).decode() + " ")
    open("{folder}/gate").read()
    return [data[0]["body"]]
"""
RAISES = """
def raises(data, context):
    if data:
        raise RuntimeError("cannot read " + __file__)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    (folder / "config.properties").write_text(f"max_request_size={LIMIT}\n")
    os.mkfifo(folder / "gate")
    one = "models: {max-workers: 1, retry-attempts: 0, timeout-ms: 60000}\n"
    write_war(folder / "echo.war", f"{one}dag: {{echo: []}}\n", ECHO)
    write_war(folder / "kind.war", f"{one}dag: {{kind: []}}\n", ECHO)
    write_war(folder / "dies.war", f"{one}dag: {{dies: []}}\n", ECHO)
    write_war(folder / "raises.war", f"{one}dag: {{raises: []}}\n", RAISES)
    held = HELD.format(folder=folder)
    write_war(folder / "held.war", f"{one}dag: {{held: []}}\nwfctl: {{queue-size: 2}}\n", held)
    write_war(folder / "broken.war", f"{one}dag: {{echo: []}}\n", "import no_such_module_anywhere\n")
    (folder / "link.war").symlink_to("/etc/passwd")
    write_war(folder / "unsound.war", f"{one}dag: {{echo: [nobody]}}\n", ECHO)
    return folder


@pytest.fixture(scope="module")
def server(store):
    wars = [store / f"{name}.war" for name in ("echo", "kind", "dies", "raises", "held")]
    with Served(store, *wars, "--workflow-store", store, env={"WFCTL_TEST_SECRET": SECRET}) as server:
        yield server


@pytest.fixture
def port(server):
    """Where it answers; afterwards it must still do so, and nothing may be left of the test's clients."""
    port = server.ports["inference"]
    workers = [worker_of(server, name) for name in ("echo", "kind")]
    yield port
    assert server.ask("POST", "/wfpredict/echo", "still here").body == b"still here"
    assert [worker_of(server, name) for name in ("echo", "kind")] == workers
    until(lambda: not connections_of(server))


def connections_of(server) -> int:
    """Count the clients that the process has; asked of the system, for asking the server makes one more."""
    own = set()
    for each in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            own.add(str(each.readlink()))
    ports = {f"{port:04X}" for port in server.ports.values()}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    connected = {f"socket:[{line[9]}]" for line in lines if line[1][-4:] in ports and line[3] != _LISTENS}
    return len(connected & own)


def worker_of(server, workflow):
    (node,) = nodes_of(server, workflow)
    return [each["pid"] for each in node["workers"]]


def nodes_of(server, workflow):
    return server.manage("GET", f"/workflows/{workflow}").json[0]["wfctl"]["nodes"]


def runs_of(server, workflow):
    return server.manage("GET", f"/workflows/{workflow}").json[0]["wfctl"]["runs"]


# Too much


CHUNKED = "Transfer-Encoding: chunked"
TOO_LARGE = {
    "told": request("/wfpredict/echo", length=LIMIT + 1),
    "told far too much": request("/wfpredict/echo", length=10**17),
    "in one chunk": request("/wfpredict/echo", CHUNKED) + b"f4241\r\n",
    "in many chunks": request("/wfpredict/echo", CHUNKED) + 16 * chunk(b"x" * (2**16 - 1)) + b"ffff\r\n",
    "with leave asked": request("/wfpredict/echo", "Expect: 100-continue", length=LIMIT + 1),
    "while it comes": request("/wfpredict/echo", body=b"x" * (8 * LIMIT)),
    "of a node": request("/predictions/echo__echo", length=LIMIT + 1),
    "of a protocol": request("/v2/models/echo/infer", length=LIMIT + 1),
}


@pytest.mark.parametrize("said", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_body_that_is_too_large_is_refused_before_it_has_come(port, said):
    with Client(port, said) as client:
        answer = client.answer()
        assert (answer.status, answer.json["type"]) == (413, "RequestEntityTooLargeException"), answer
        assert answer.headers["connection"] == "close"
        assert client.rest() == b""


def test_a_body_as_large_as_the_limit_is_taken(port):
    body = b"x" * LIMIT
    assert call(port, "POST", "/wfpredict/echo", body).body == body
    pieces = [body[at : at + 50_000] for at in range(0, LIMIT, 50_000)]
    with Client(port, request("/wfpredict/echo", CHUNKED) + b"".join(map(chunk, pieces)) + b"0\r\n\r\n") as client:
        assert client.answer().body == body


def test_a_compressed_body_counts_as_it_is_opened(server, port):
    before = resident_megabytes(server.process.pid)
    bomb = gzip.compress(bytes(300_000_000), 9, mtime=0)
    assert len(bomb) < LIMIT
    answer = call(port, "POST", "/wfpredict/echo", bomb, {"Content-Encoding": "gzip"})
    assert (answer.status, answer.json["type"]) == (413, "RequestEntityTooLargeException")
    just_fits = gzip.compress(bytes(LIMIT), mtime=0)
    assert len(call(port, "POST", "/wfpredict/echo", just_fits, {"Content-Encoding": "gzip"}).body) == LIMIT
    assert resident_megabytes(server.process.pid) - before < 30


def test_a_body_that_takes_time_is_answered_before_those_behind_it(port):
    zipped = gzip.compress(b"x" * LIMIT, mtime=0)
    said = request("/wfpredict/echo", "Content-Encoding: gzip", body=zipped) + request("/wfpredict/echo", body=b"y")
    with Client(port, said * 3) as client:
        assert [client.answer().body[:1] for _ in range(6)] == [b"x", b"y"] * 3


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (414, b"GET /" + b"x" * 2**20 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (414, b"GET /" + b"x" * 2**20),
        (414, b"x" * 2**20),
        (431, request("/ping", *(f"X-{number}: {number}" for number in range(100_000)))),
        (431, request("/ping", *(f"X-{number}: " for number in range(201)))),
        (431, request("/ping", "X-Long: " + "x" * 2**20)),
        (431, request("/ping", *["X-Same: x"] * 100_000)),
        (431, request("/wfpredict/echo", CHUNKED) + b"0\r\n" + b"X-Trailer: x\r\n" * 10_000),
        (400, request("/wfpredict/echo", CHUNKED) + b"1;" + b"x" * 2**20),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else value[:24].decode("latin-1"),
)
def test_a_head_that_is_too_long_is_refused_while_it_comes(port, status, said):
    with Client(port, said) as client:
        answer = client.answer()
        assert (answer.status, answer.json["code"]) == (status, status)
        assert answer.headers["connection"] == "close"
        assert client.rest() == b""


# Too slow: in this process, where patience can be short


@contextmanager
def impatient(**seconds):
    """Serve no workflow at all with little patience; yields the port."""
    free = Address(scheme="http", host="127.0.0.1", port=0)
    settings = ServerSettings(inference_address=free, management_address=free, metrics_address=free)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def done(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    async def opened():
        options = FrontEndOptions(patience=Patience(**{"linger_s": 0.1, **seconds}))
        return FrontEnd(settings, Registry(), WishMaker(pattern=Request(path=Path())), options=options)

    try:
        front = done(opened())
        listening = done(front.listen())
        yield next(each.address.port for each in listening if Role.INFERENCE in each.roles)
        assert done(front.drain(5)) == 0, "clients were left"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def trickled(client, said, stop):
    """Send a byte now and then, so that something always comes."""
    for at in range(len(said)):
        if stop.wait(0.02) or not client.say(said[at : at + 1]):
            return


@pytest.mark.parametrize("trickles", [False, True], ids=["silent", "a byte at a time"])
@pytest.mark.parametrize(
    ("phase", "begun", "rest"),
    [
        ("head", b"P", request("/ping", *["X: x"] * 100)[1:]),
        ("head", b"GET /ping HTTP/1.1\r\n", b"X-A: b\r\n" * 1000),
        ("body", request("/ping", method="GET", length=10_000), b"x" * 9000),
        ("body", request("/ping", CHUNKED, method="GET"), b"1\r\nx\r\n" * 2000),
    ],
    ids=["first byte", "fields", "body", "chunks"],
)
def test_who_is_too_slow_is_told_so(phase, begun, rest, trickles):
    stop = threading.Event()
    with impatient(head_s=0.3, body_s=0.3) as port, Client(port, begun) as client:
        trickling = threading.Thread(target=trickled, args=(client, rest if trickles else b"", stop))
        trickling.start()
        try:
            answer = client.answer()
            assert (answer.status, answer.json["type"]) == (408, "RequestTimeoutException")
            assert phase in answer.json["message"]
            assert answer.headers["connection"] == "close"
            assert client.rest() == b""
        finally:
            stop.set()
            trickling.join()


def test_who_says_nothing_is_let_go_without_a_word():
    with impatient(idle_s=0.2) as port, Client(port) as silent, Client(port, request("/ping", method="GET")) as asked:
        assert asked.answer().status in {200, 503}
        assert (silent.rest(), asked.rest()) == (b"", b"")


def test_who_waits_for_leave_and_then_sends_nothing_is_told_so():
    with impatient(body_s=0.2) as port:
        said = request("/api-description", "Expect: 100-continue", length=5, method="GET")
        with Client(port, said) as client:
            assert client.answer().status == 100
            assert client.answer().status == 408


def test_who_does_not_take_its_answers_is_cut():
    asking = request("/api-description", method="GET") * 2000
    with impatient(write_s=0.3) as port, Client(port, takes=2048) as client:
        client.socket.settimeout(10)
        while client.say(asking):  # until nobody is there who takes it
            pass


def test_who_sends_on_behind_a_refusal_is_cut():
    with impatient(linger_s=0.2) as port, Client(port, request("/nowhere", length=10**9)) as client:
        assert client.answer().status == 404
        while client.say(b"x" * 65536):
            pass


# Too many


@contextmanager
def crowded(store):
    """Serve as many as it may serve; yields the server and these clients."""
    with Served(store, store / "echo.war", "--max-connections", 4) as server:
        within = [Client(server.ports["inference"]) for _ in range(4)]
        try:
            yield server, within
        finally:
            for each in within:
                each.reset()


def test_connections_beyond_the_limit_are_told_so_and_the_others_are_served(store):
    with crowded(store) as (server, within):
        port = server.ports["inference"]
        asking = request("/wfpredict/echo", body=b"mine")
        for size in (0, 100, 100_000, LIMIT):
            for _ in range(25):
                with Client(port, request("/wfpredict/echo", body=b"x" * size)) as client:
                    answer = client.answer()
                    assert (answer.status, answer.json["type"]) == (503, "ServiceUnavailableException")
                    assert int(answer.headers["retry-after"]) >= 1
                    assert answer.headers["connection"] == "close"
            for each in within:
                each.say(asking)
                assert each.answer().body == b"mine"
        within.pop().reset()
        until(lambda: connections_of(server) == 3)
        with Client(port, asking) as client:
            assert client.answer().body == b"mine"


def test_who_is_turned_away_while_it_sends_learns_it_all_the_same(store):
    """Python's own client, for one, gives up at the first byte that nobody takes, and reads no answer then."""
    with crowded(store) as (server, _), Client(server.ports["inference"]) as client:
        assert client.answer().status == 503
        assert client.rest() == b""  # all is said, but what is under way is still taken
        assert client.say(request("/wfpredict/echo", length=1000))
        assert client.say(bytes(1000)), "what it sends is answered with a reset"


@contextmanager
def held_up(server, store):
    """Have a worker wait and its queue full; yields the clients, in their order, and opens the gate at the end."""
    (store / "ran").write_text("")
    clients = []
    try:
        for number in range(3):
            clients.append(Client(server.ports["inference"], request("/wfpredict/held", body=b"%d" % number)))
            until(lambda waiting=number: queue_of(server) == {"waiting": waiting, "running": 1, "size": 2})
        yield clients
    finally:
        until(lambda: opened(store / "gate") and not runs_of(server, "held"))
        for each in clients:
            each.socket.close()


def opened(gate):
    """Let through who waits at the gate now."""
    with suppress(OSError):  # nobody waits
        os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
    return True


def queue_of(server):
    return nodes_of(server, "held")[0]["queue"]


def test_a_full_queue_refuses_and_says_when_to_come_again(server, store, port):
    with held_up(server, store) as clients:
        answer = call(port, "POST", "/wfpredict/held", b"3")
        assert (answer.status, answer.json["type"]) == (503, "ServiceUnavailableException")
        assert int(answer.headers["retry-after"]) >= 1
        for target in ("/wfpredict/held", "/predictions/held__held", "/v2/models/held/infer"):
            for fields in (("Expect: 100-continue",), ()):  # before the body, in each case
                with Client(port, request(target, *fields, length=LIMIT)) as client:
                    refused = client.answer()
                    assert refused.status == 503, target
                    assert int(refused.headers["retry-after"]) >= 1
                    assert refused.headers["connection"] == "close"
                    assert client.rest() == b""
        assert call(port, "POST", "/wfpredict/echo", b"others").body == b"others"
        until(lambda: opened(store / "gate") and not runs_of(server, "held"))
        assert [each.answer().body for each in clients] == [b"0", b"1", b"2"]
        assert (store / "ran").read_text() == "0 1 2 "


def test_what_was_begun_for_who_has_left_is_withdrawn(server, store, port):
    with held_up(server, store) as clients:
        clients[1].reset()
        until(lambda: queue_of(server) == {"waiting": 1, "running": 1, "size": 2})
        clients[0].reset()  # its call is with the handler, which cannot be interrupted
        until(lambda: runs_of(server, "held") == 1)
        until(lambda: opened(store / "gate") and not runs_of(server, "held"))
        assert clients[2].answer().body == b"2"
    assert (store / "ran").read_text() == "0 2 "


def test_a_client_that_leaves_within_its_body_leaves_nothing(server, port):
    until(lambda: not connections_of(server))
    files, memory = open_files(server.process.pid), resident_megabytes(server.process.pid)
    for number in range(300):
        client = Client(port, request("/wfpredict/echo", length=LIMIT) + bytes(LIMIT - 1))
        client.reset() if number % 2 else client.socket.close()
        until(lambda: connections_of(server) < 8)  # what many hold at once is not what is left of them
    until(lambda: not connections_of(server))
    until(lambda: open_files(server.process.pid) <= files)  # a connection's file is closed a turn after its end
    assert runs_of(server, "echo") == 0
    assert resident_megabytes(server.process.pid) - memory < 20


def test_two_thousand_who_say_nothing_do_not_keep_the_others_waiting(server, port):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= 2500, "this machine lets no process open 2,500 files"
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2500), hard))
    memory = resident_megabytes(server.process.pid)
    idle = []
    try:
        idle += [Client(port) for _ in range(1000)]
        idle += [Client(port, b"GET /ping HTT") for _ in range(500)]
        idle += [Client(port, request("/wfpredict/echo", length=LIMIT) + b"x") for _ in range(500)]
        with Client(port) as client:
            for number in range(500):
                client.say(request("/wfpredict/echo", body=b"%d" % number))
                assert client.answer().body == b"%d" % number
        assert connections_of(server) == 2000
        assert resident_megabytes(server.process.pid) - memory < 40
        for each in idle[:1000:100]:  # and who has slept may wake up
            each.say(request("/wfpredict/echo", body=b"awake"))
            assert each.answer().body == b"awake"
    finally:
        for each in idle:
            each.reset()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_memory_is_flat_while_twenty_thousand_are_refused(server, port):
    held = []
    for lot in range(40):
        nowhere = b"".join(request(f"/wfpredict/no-{lot}-{at}", body=bytes(100)) for at in range(300))
        with Client(port) as client:
            sending = threading.Thread(target=client.say, args=(nowhere,))
            sending.start()
            assert {client.answer().status for _ in range(300)} == {404}
            sending.join()
        for at in range(200):
            target = "/wfpredict/echo" if at % 2 else "/wfpredict/nosuch"
            whole = request(target, body=bytes(2**20)) if at % 10 < 2 else request(target, length=2**20)
            with Client(port, whole) as client:
                assert client.answer().status == (413 if at % 2 else 404)
                client.reset()
        held.append((500.0 * lot, resident_megabytes(server.process.pid)))
    warm = held[10:]
    assert slope(warm) * 15_000 < 3, held
    assert max(megabytes for _, megabytes in held) - held[0][1] < 25, held


# Too strange


@pytest.mark.parametrize(("status", "kind", "body"), FORMS.values(), ids=FORMS)
def test_a_hostile_form_is_refused_or_handed_on(port, status, kind, body):
    answer = call(port, "POST", "/wfpredict/kind", body, {"Content-Type": kind})
    assert answer.status == status, answer


@pytest.mark.parametrize("body", JSONS.values(), ids=JSONS)
def test_hostile_json_is_no_failure_of_the_server(port, body):
    fields = {"Content-Type": "application/json"}
    assert call(port, "POST", "/wfpredict/kind", body, fields).status in {200, 400}
    for wrapped in (body, b'{"instances": %b}' % body, b'{"instances": [%b], "a": %b}' % (body, body[:1000])):
        assert call(port, "POST", "/v1/models/kind:predict", wrapped, fields).status in {200, 400, 413}
    for pattern in TENSORS:
        assert call(port, "POST", "/v2/models/kind/infer", pattern % body, fields).status in {200, 400}, pattern


@pytest.mark.parametrize("target", SPLITTING)
def test_nothing_of_a_request_splits_an_answer(server, port, target):
    for where in (port, server.ports["management"]):
        for fields in ((), ("X-Request-Id: a%0d%0aX-Evil: 1",), ("X-Request-Id: a\tX-Evil: 1",)):
            with Client(where, request(target, *fields, "Connection: close")) as client:
                head, _, body = client.rest().partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 4")
                assert b"evil" not in head.lower()
                assert len(json.loads(body)["message"]) < 300


@pytest.mark.parametrize("sent", ["a\r\nX-Evil: 1\r\n b", "a\nX-Evil: 1", "a\rX-Evil: 1", "a\0X-Evil: 1"])
def test_a_request_id_cannot_hold_a_line_end(port, sent):
    with Client(port, request("/ping", f"X-Request-Id: {sent}", "Connection: close")) as client:
        head, _, _ = client.rest().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"evil" not in head.lower()


@pytest.fixture(scope="module")
def locked(store):
    with Served(store, store / "echo.war", "--workflow-store", store, "--token-auth") as server:
        yield server, json.loads((store / "key_file.json").read_text())


@pytest.mark.parametrize("target", MANAGEMENT)
def test_without_a_key_nobody_learns_what_there_is(locked, target):
    server, keys = locked
    for role in ("management", "inference"):
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "BREW"):
            for key in (None, "nonsense", keys["inference" if role == "management" else "management"]["key"]):
                fields = {} if key is None else {"Authorization": f"Bearer {key}"}
                answers = [
                    call(server.ports[role], method, target.format(name=name), b"", fields)
                    for name in ("echo", "nosuch")
                ]
                for each in answers:
                    del each.headers["x-request-id"]
                    assert each.status in {400, 401}, (role, method, key, each)
                assert answers[0].headers == answers[1].headers
                assert answers[0].body == answers[1].body


TENSOR = b'{"inputs": [{"name": "x", "shape": [1], "datatype": "INT64", "data": [1]}]}'
WRONG = [
    *("POST /wfpredict/raises", "POST /wfpredict/dies", "POST /wfpredict/nosuch", "POST /wfpredict/..%2f..%2fetc"),
    *("POST /predictions/raises__raises", "POST /explanations/raises__raises", "POST /predictions/echo__nosuch"),
    *("POST /v2/models/raises/infer", "POST /v2/models/nosuch/infer", "POST /v1/models/raises:predict"),
    *("POST /workflows?url=broken.war", "POST /workflows?url=unsound.war", "POST /workflows?url=echo.war"),
    *("POST /workflows?url=nosuch.war", "POST /workflows?url=/etc/passwd", "POST /workflows?url=file:///etc/passwd"),
    *("POST /workflows?url=..", "POST /workflows?url=http://127.0.0.1:9/x.war", "POST /workflows?url={store}/echo.war"),
    *("POST /workflows?url=gate", "POST /workflows?url=config.properties", "POST /workflows?url=ran"),
    *("GET /workflows/nosuch", "PUT /workflows/nosuch", "DELETE /workflows/nosuch", "PATCH /workflows/nosuch"),
    *("PUT /workflows/echo?url=broken.war", "PUT /workflows/echo/nodes/echo?min_worker=x"),
    *("PUT /models/echo__echo?min_worker=100000", "POST /workflows?url=link.war"),
]


@pytest.mark.parametrize("line", WRONG)
def test_what_went_wrong_is_told_without_what_is_behind_it(server, store, line):
    (store / "ran").write_text(f"{SECRET} {SECRET}")
    method, target = line.format(store=store).split(" ")
    api = "management" if target.startswith(("/workflows", "/models")) else "inference"
    answer = call(server.ports[api], method, target, TENSOR)
    assert answer.status >= 400
    told = f"{answer.headers} {answer.body.decode()}"
    told = told.replace(f"{store}/echo.war", "")  # what it said itself, a client may hear
    ours = (str(store.parent), sys.prefix, str(Path(__file__).parents[2]), "Traceback", "File ", SECRET, "max_request")
    assert [word for word in ours if word in told] == [], answer


def test_who_promised_to_go_on_and_closed_its_side_has_a_second(server, store, port):
    with held_up(server, store) as clients:
        clients[1].socket.shutdown(socket.SHUT_WR)  # as a client does that has given up: its end is closed
        until(lambda: queue_of(server) == {"waiting": 1, "running": 1, "size": 2})
        until(lambda: opened(store / "gate") and not runs_of(server, "held"))
        assert clients[0].answer().body == b"0"


def test_bodies_of_all_connections_together_have_a_bound():
    budget = Budget(100)
    assert budget.take(60)
    assert budget.take(40)
    assert not budget.take(1)
    budget.give(60)
    assert budget.take(1)
    budget.give(41)
    assert budget.take(1000)  # one is always let in
    assert not budget.take(1)
