"""What any ASGI server gets is what a socket gets, held side by side; and who leaves, who is late, what is too much."""

import asyncio
import gc
import gzip
import json
import os
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote

import pytest
from fakes.archives import write_war
from fakes.clients import Client, chunk
from fakes.loops import on_a_loop
from fakes.status_site import StatusSite
from hypothesis import given
from hypothesis import strategies as st
from listening import HeldApp

from wfctl.web.access.guard import Guard
from wfctl.web.app import Front
from wfctl.web.asgi import AsgiApp
from wfctl.web.config.addresses import Address
from wfctl.web.routes import Api
from wfctl.web.server import Server
from wfctl.web.site import Site
from wfctl.web.wire.messages import Limits, RequestError, Response
from wfctl.web.wire.patience import Patience

FREE = Address(scheme="http", host="127.0.0.1", port=0)
LIMITS = Limits(line=300, head=2000, fields=20, body=100_000)
HANDLER = """
def told(data, context):
    if data is None:
        return None
    row = {name: value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value
           for name, value in data[0].items()}
    return [{"row": row, "id": context.get_request_id(), "headers": context.get_all_request_header(0)}]

def picture(data, context):
    if data is None:
        return None
    context.set_response_content_type(0, "image/png")
    context.set_response_header(0, "X-Model-Time", "12: 13")
    context.set_response_header(0, "Cache-Control", "max-age=60")
    context.set_response_status(201, "made", 0)
    return [b"\\x89PNG" * 40_000]

def silent(data, context):
    if data is None:
        return None
    context.set_response_status(204, "nothing", 0)
    return ["unused"]

def fails(data, context):
    if data is None:
        return None
    raise ValueError("no such thing")

def held(data, context):
    if data is None:
        return None
    with open(bytes(data[0]["body"]), "rb", buffering=0) as gate:
        gate.readline()
    return ["let go"]
"""
FUNCTIONS = ("told", "picture", "silent", "fails", "held")
OPTIONS = {"access-control-allow-origin": "https://a.example", "access-control-allow-methods": "GET, POST"}


# A server of the protocol, and the same said by a socket


@dataclass
class Said:
    """A request, however it is put."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    pieces: int = 0
    """In how many chunks the body comes; 0 for one that has a length."""
    host: str | None = "localhost"
    version: str = "1.1"

    @property
    def all_fields(self) -> list[tuple[str, str]]:
        host = [] if self.host is None else [("host", self.host)]
        says_length = any(name in {"content-length", "transfer-encoding"} for name, _ in self.fields)
        length = [] if says_length or not (self.body or self.method == "POST") else [self._length]
        return [*host, *self.fields, *length, ("connection", "close")]

    @property
    def _length(self) -> tuple[str, str]:
        return ("transfer-encoding", "chunked") if self.pieces else ("content-length", str(len(self.body)))

    @property
    def cut(self) -> list[bytes]:
        size = -(-len(self.body) // (self.pieces or 1)) or 1
        return [self.body[at : at + size] for at in range(0, len(self.body), size)] or [b""]

    def to_socket(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/{self.version}", *(f"{n}: {v}" for n, v in self.all_fields)]
        body = b"".join(map(chunk, [*self.cut, b""])) if self.pieces else self.body
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def to_asgi(self) -> "Talk":
        path, _, query = self.target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": self.version,
            "method": self.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.all_fields],
        }
        *first, last = self.cut
        return Talk(scope, *(part(each, more=True) for each in first), part(last))


def part(body: bytes = b"", *, more: bool = False) -> dict:
    return {"type": "http.request", "body": body, "more_body": more}


LEFT = {"type": "http.disconnect"}
ORDER = ["http.response.start", "http.response.body"]


class Talk:
    """One connection as a server tells it; what the application sends is held to the protocol."""

    def __init__(self, scope: dict, *told: dict) -> None:
        self.scope = scope
        self.sent: list[dict] = []
        self.received = 0
        self._told: asyncio.Queue[dict | Exception] = asyncio.Queue()
        self._waits = asyncio.Event()
        self.tell(*told)

    def tell(self, *messages: dict | Exception) -> None:
        self._waits.clear()
        for each in messages:
            self._told.put_nowait(each)

    async def receive(self) -> dict:
        if self._told.empty():
            self._waits.set()
        message = await self._told.get()
        self.received += 1
        if isinstance(message, Exception):
            raise message
        return message

    async def send(self, message: dict) -> None:
        self.sent.append(message)
        if self.scope["type"] == "http":
            assert [each["type"] for each in self.sent] == ORDER[: len(self.sent)]

    async def until_waiting(self) -> None:
        """Wait until the application has taken all that was told, and wants more."""
        async with asyncio.timeout(30):
            await self._waits.wait()

    async def held_by(self, app: Callable) -> "Talk":
        async with asyncio.timeout(60):
            await app(self.scope, self.receive, self.send)
        return self

    @property
    def answer(self) -> tuple[int, list[tuple[str, str]], bytes]:
        start, body = self.sent
        assert all(name == name.lower() for name, _ in start["headers"])
        assert type(body["body"]) is bytes
        assert not body.get("more_body", False)
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        return start["status"], fields, body["body"]


def by_socket(port: int, said: Said) -> tuple[int, list[tuple[str, str]], bytes]:
    with Client(port, said.to_socket()) as client:
        head, _, body = client.rest().partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    pairs = [tuple(field.split(": ", 1)) for field in fields]
    return int(line.split(" ")[1]), [(name.lower(), value) for name, value in pairs], body


def compared(answer: tuple[int, list[tuple[str, str]], bytes]) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return an answer without what is each connection's, or each request's, own."""
    status, fields, body = answer
    return status, [each for each in fields if each[0] not in {"connection", "x-request-id"}], body


# Side by side


class Both:
    """One application, which a socket and an ASGI server speak to."""

    def __init__(self, site: StatusSite, standing: dict[str, str]) -> None:
        self._site = site
        self._standing = standing
        site.run(self._open())

    async def _open(self) -> None:
        front = self._site.front
        site = Site(registry=front.site.registry, standing=self._standing, is_ready=True)
        self.app = Front(site, front.endpoints, frozenset({Api.INFERENCE}), Guard.at("127.0.0.1"))
        self.asgi = AsgiApp(self.app, LIMITS)
        self.server = Server(limits=LIMITS, patience=Patience(), most_connections=10)
        (address,) = await self.server.listen(FREE, self.app)
        self.port = address.port

    def run(self, work) -> object:
        return self._site.run(work)

    def ask_asgi(self, said: Said) -> tuple[int, list[tuple[str, str]], bytes]:
        async def asked() -> Talk:
            return await said.to_asgi().held_by(self.asgi)

        return self.run(asked()).answer

    def engine(self, name: str):
        return self._site.front.site.registry.find(name).engine


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    spec = "models: {{max-workers: 1}}\ndag: {{{0}: []}}\n"
    wars = [write_war(store / f"{name}.war", spec.format(name), HANDLER) for name in FUNCTIONS]
    with StatusSite(*wars) as site:
        yield site


def both_of(site, standing):
    both = Both(site, standing)
    yield both
    both.run(both.server.drain(5))


@pytest.fixture(scope="module")
def both(site):
    yield from both_of(site, {})


@pytest.fixture(scope="module")
def open_to_pages(site):
    yield from both_of(site, OPTIONS)


ID = ("x-request-id", "order-66")
JSON, FORM = ("content-type", "application/json"), ("content-type", "application/x-www-form-urlencoded")
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\n\r\n\x00\xff\r\n--x--\r\n'
)
TOLD = "/wfpredict/told"
REQUESTS: dict[str, tuple[int, Said]] = {
    "json": (200, Said("POST", TOLD, (JSON, ID), b'{"a": [1, 2]}')),
    "json in chunks": (200, Said("POST", TOLD, (JSON, ID), b'{"a": [1, 2]}', pieces=4)),
    "form": (200, Said("POST", TOLD, (FORM, ID), b"data=a+b&k=%C3%A9")),
    "multipart": (200, Said("POST", TOLD, (("content-type", "multipart/form-data; boundary=x"), ID), MULTIPART)),
    "gzip": (200, Said("POST", TOLD, (JSON, ("content-encoding", "gzip"), ID), gzip.compress(b"[1]", mtime=0))),
    "empty": (200, Said("POST", TOLD, (ID,))),
    "get": (200, Said("GET", TOLD + "?a=b", (ID,))),
    "old version": (200, Said("GET", TOLD, (ID,), version="1.0", host=None)),
    "twice": (200, Said("POST", TOLD, (("x-a", "1"), ID, ("x-a", " 2\t"), ("x-b", "\xe9")), b"x")),
    "escaped": (200, Said("POST", "/wfpredict/t%6Fld/?", (ID,), b"x")),
    "absolute": (200, Said("POST", "http://localhost/wfpredict/told", (ID,), b"x")),
    "large": (200, Said("POST", TOLD, (ID,), b"x" * 100_000)),
    "picture": (201, Said("POST", "/wfpredict/picture", (ID,), b"x")),
    "silent": (204, Said("POST", "/wfpredict/silent", (ID,), b"x")),
    "fails": (500, Said("POST", "/wfpredict/fails", (ID,), b"x")),
    "one node": (200, Said("POST", "/predictions/told__told", (ID,), b"x")),
    "wrong method": (405, Said("DELETE", "/ping")),
    "v1": (400, Said("POST", "/v1/models/told:predict", (JSON, ID), b"[")),
    "ping": (200, Said("GET", "/ping")),
    "head": (200, Said("HEAD", "/ping")),
    "options": (200, Said("OPTIONS", "/")),
    "models": (200, Said("GET", "/v2/models/told/ready")),
    "preflight": (200, Said("OPTIONS", TOLD, (("access-control-request-method", "POST"), ID))),
    "nowhere": (404, Said("GET", "/nowhere")),
    "management": (404, Said("GET", "/workflows")),
    "unknown": (404, Said("POST", "/wfpredict/unknown", (), b"x")),
    "unknown, large": (404, Said("POST", "/wfpredict/unknown", (), b"x" * 90_000)),
    "unknown, in chunks": (404, Said("POST", "/wfpredict/unknown", (), b"x", pieces=1)),
    "unknown, too large": (404, Said("POST", "/wfpredict/unknown", (("content-length", "100001"),))),
    "other host": (403, Said("GET", "/ping", host="evil.example")),
    "other page": (403, Said("GET", "/ping", (("origin", "https://evil.example"),))),
    "no host": (400, Said("GET", "/ping", host=None)),
    "two hosts": (400, Said("GET", "/ping", (("host", "localhost"),))),
    "no number": (400, Said("POST", TOLD, (("content-length", "+1"),))),
    "two lengths": (400, Said("POST", TOLD, (("content-length", "1"), ("transfer-encoding", "chunked")))),
    "deflated": (501, Said("POST", TOLD, (("transfer-encoding", "gzip"),))),
    "expects": (417, Said("POST", TOLD, (("expect", "tea"),))),
    "timeout": (400, Said("POST", TOLD, (("x-request-timeout", "soon"), ID), b"x")),
    "broken escape": (400, Said("GET", "/wfpredict/%zz")),
    "not UTF-8": (400, Said("GET", "/wfpredict/%ff")),
    "not plain": (400, Said("GET", "/wfpredict//told")),
    "not ascii": (400, Said("GET", "/wfpredict/t\xf6ld")),
    "no method": (400, Said("G(T", "/ping")),
    "no value": (400, Said("GET", "/ping", (("x-a", "1"), ("x-b", "a\0b")))),
    "no name": (400, Said("GET", "/ping", (("x a", "1"),))),
    "long line": (414, Said("GET", "/" + "a" * 290)),
    "not so long line": (404, Said("GET", "/" + "a" * 286)),
    "many fields": (431, Said("GET", "/ping", tuple((f"x-{each}", "1") for each in range(19)))),
    "not so many fields": (200, Said("GET", "/ping", tuple((f"x-{each}", "1") for each in range(18)))),
    "long fields": (431, Said("GET", "/ping", (("x-a", "a" * 2000),))),
    "too large": (413, Said("POST", TOLD, (("content-length", "100001"),))),
    "too large, in chunks": (413, Said("POST", TOLD, (), b"x" * 100_001, pieces=3)),
    "broken gzip": (400, Said("POST", TOLD, (("content-encoding", "gzip"), ID), b"x")),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_an_asgi_server_gets_what_a_socket_gets(both, name):
    status, said = REQUESTS[name]
    told, wanted = both.ask_asgi(said), by_socket(both.port, said)
    assert compared(told) == compared(wanted)
    assert told[0] == status, told
    assert (dict(told[1])["x-request-id"] == ID[1]) is (ID in said.fields)


def test_a_head_of_just_the_size_that_is_taken_is_taken_by_both(both):
    least = len(Said("GET", "/ping", (("x-a", ""),)).to_socket())
    for more, status in ((0, 200), (1, 431)):
        said = Said("GET", "/ping", (("x-a", "a" * (LIMITS.head - least + more)),))
        told = both.ask_asgi(said)
        assert compared(told) == compared(by_socket(both.port, said))
        assert told[0] == status


@pytest.mark.parametrize("name", ["json", "picture", "silent", "preflight", "nowhere", "long line"])
def test_fields_of_every_answer_are_in_those_of_asgi_too(open_to_pages, name):
    _, said = REQUESTS[name]
    told = open_to_pages.ask_asgi(said)
    assert compared(told) == compared(by_socket(open_to_pages.port, said))
    assert OPTIONS.items() <= dict(told[1]).items()


def test_a_handler_sees_the_fields_and_the_body_that_came(both):
    _, fields, body = both.ask_asgi(REQUESTS["twice"][1])
    told = json.loads(body)
    assert (told["row"], told["id"]) == ({"body": "x"}, ID[1])
    assert (told["headers"]["x-b"], told["headers"]["host"]) == ("\xe9", "localhost")
    assert dict(fields)["content-length"] == str(len(body))


def test_a_run_is_withdrawn_when_its_client_leaves_and_answered_when_it_stays(both, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    holds = os.open(gate, os.O_RDWR)
    engine = both.engine("held")
    said = Said("POST", "/wfpredict/held", (), bytes(gate))

    async def one_leaves_and_one_stays() -> tuple[Talk, Talk]:
        leaves, stays = said.to_asgi(), said.to_asgi()
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            leaving = group.create_task(leaves.held_by(both.asgi))
            await leaves.until_waiting()
            group.create_task(stays.held_by(both.asgi))
            await stays.until_waiting()
            assert engine.statistics().runs == 2
            leaves.tell(LEFT)
            await leaving
            assert engine.statistics().runs == 1
            os.write(holds, b"\n\n")  # one for each that a worker may have begun
        return leaves, stays

    leaves, stays = both.run(one_leaves_and_one_stays())
    os.close(holds)
    assert leaves.sent == []
    assert (stays.answer[0], stays.answer[2]) == (200, b"let go")
    assert engine.statistics().runs == 0


# Bodies


def asked(target: str = "/held", *told: dict, method: str = "POST", **more: object) -> Talk:
    scope = Said(method, target, (("content-length", "0"),)).to_asgi().scope
    fields = more.pop("fields", [(b"host", b"h")])
    return Talk({**scope, "headers": fields, **more}, *told)


class Counting(HeldApp):
    """Counts how often it is told to forget."""

    def __init__(self) -> None:
        super().__init__()
        self.forgotten: list[bytes] = []

    def begin(self, head, body, reply):
        super().begin(head, body, reply)
        return lambda: self.forgotten.append(bytes(body))


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=6))
def test_a_body_is_the_same_however_it_is_cut(pieces):
    app = HeldApp()
    *first, last = pieces
    talk = asked("/now", *(part(each, more=True) for each in first), part(last))
    asyncio.run(talk.held_by(AsgiApp(app, Limits())))
    assert talk.answer[::2] == (200, b"".join(pieces))
    assert talk.received == len(pieces)


@on_a_loop
async def test_what_a_server_leaves_out_of_its_messages_is_nothing():
    talk = await asked("/now", {"type": "http.request"}).held_by(AsgiApp(HeldApp(), Limits()))
    assert talk.answer[::2] == (200, b"")


@on_a_loop
async def test_nothing_is_begun_before_all_of_the_body_has_come():
    app, talk = HeldApp(), asked("/held", part(b"hel", more=True))
    task = asyncio.create_task(talk.held_by(AsgiApp(app, Limits())))
    await talk.until_waiting()
    assert (len(app.heads), app.asked) == (1, [])
    talk.tell(part(b"lo"))
    await app.until(lambda: bool(app.asked))
    app.asked[0].answer()
    assert (await task).answer[2] == b"hello"


@pytest.mark.parametrize("told", [[LEFT], [part(b"hel", more=True), LEFT]])
@on_a_loop
async def test_nothing_is_begun_for_who_leaves_before_all_of_the_body_has_come(told):
    class Judges(HeldApp):
        def admit(self, head):
            head.judged = head
            return super().admit(head)

    app = Judges()
    talk = await asked("/held", *told).held_by(AsgiApp(app, Limits()))
    assert (len(app.heads), app.asked, talk.sent) == (1, [], [])
    assert app.heads[0].judged is None  # what goes around in a circle is not freed


@on_a_loop
async def test_nothing_is_read_of_what_is_refused_by_its_head():
    app = HeldApp()
    app.refusals["/no"] = Response(401, b"who are you?")
    refused = await asked("/no", part(b"x")).held_by(AsgiApp(app, Limits()))
    assert (refused.answer[::2], refused.received) == ((401, b"who are you?"), 0)
    large = asked("/held", part(b"x"), fields=[(b"host", b"h"), (b"content-length", b"11")])
    assert (await large.held_by(AsgiApp(app, Limits(body=10)))).answer[0] == 413
    assert (large.received, app.asked) == (0, [])


@on_a_loop
async def test_of_a_body_without_a_length_no_more_is_read_than_is_taken():
    app = HeldApp()
    talk = asked("/held", *(part(b"12345", more=True) for _ in range(5)))
    assert (await talk.held_by(AsgiApp(app, Limits(body=10)))).answer[::2] == (
        413,
        b"the body is larger than 10 bytes",
    )
    assert (talk.received, app.asked) == (3, [])
    whole = await asked("/now", part(b"12345", more=True), part(b"12345")).held_by(AsgiApp(app, Limits(body=10)))
    assert whole.answer[::2] == (200, b"1234512345")


@pytest.mark.parametrize(
    ("version", "fields", "length", "is_new"),
    [
        ("1.0", [], 0, 0),
        ("1.1", [(b"host", b"h")], 0, 1),
        ("1.1", [(b"host", b"h"), (b"transfer-encoding", b"chunked")], None, 1),
        ("2", [(b"host", b"h")], None, 1),
        ("3", [(b"host", b"h"), (b"content-length", b"3")], 3, 1),
    ],
)
@on_a_loop
async def test_the_length_of_a_body_is_what_its_version_says_of_it(version, fields, length, is_new):
    app = HeldApp()
    talk = await asked("/now", part(b"abc"), http_version=version, fields=fields).held_by(AsgiApp(app, Limits()))
    assert talk.answer[2] == b"abc"
    assert (app.heads[0].length, app.heads[0].version) == (length, is_new)


# Who leaves


@asynccontextmanager
async def held_request(app: HeldApp, talk: Talk):
    """Yield the task of a request that was begun and is waited for."""
    task = asyncio.create_task(talk.held_by(AsgiApp(app, Limits())))
    await talk.until_waiting()
    yield task
    assert task.done()


@on_a_loop
async def test_who_leaves_is_forgotten_once_and_gets_nothing():
    app, talk = Counting(), asked("/held", part(b"1"))
    async with held_request(app, talk) as task:
        talk.tell(LEFT, LEFT)
        await task
    app.asked[0].answer()  # comes too late, and does no harm
    assert (app.forgotten, talk.sent) == ([b"1"], [])


@on_a_loop
async def test_who_stays_is_answered_once_and_not_forgotten():
    app, talk = Counting(), asked("/held", part(b"1"))
    async with held_request(app, talk) as task:
        app.asked[0].answer(b"first")
        app.asked[0].answer(b"second")
        await task
    assert (app.forgotten, talk.answer[2]) == ([], b"first")


@on_a_loop
async def test_messages_that_say_nothing_do_not_end_the_waiting():
    app, talk = Counting(), asked("/held", part(b"1"))
    async with held_request(app, talk) as task:
        talk.tell(part())
        await talk.until_waiting()
        assert (app.forgotten, task.done()) == ([], False)
        app.asked[0].answer()
        await task
    assert talk.answer[2] == b"1"


@on_a_loop
async def test_an_answer_that_forgetting_brings_is_not_sent():
    class Settles(HeldApp):
        def begin(self, head, body, reply):
            super().begin(head, body, reply)
            return lambda: reply(Response(499))

    app, talk = Settles(), asked("/held", part(b"1"))
    async with held_request(app, talk) as task:
        talk.tell(LEFT)
        await task
    assert talk.sent == []


@on_a_loop
async def test_a_server_that_breaks_a_request_off_has_it_forgotten_once():
    app, talk = Counting(), asked("/held", part(b"1"))
    async with held_request(app, talk) as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (app.forgotten, talk.sent) == ([b"1"], [])
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_a_loop
async def test_what_a_server_raises_comes_back_to_it_and_the_work_is_forgotten():
    app, talk = Counting(), asked("/held", part(b"1"))
    async with held_request(app, talk) as task:
        talk.tell(ConnectionError("the proxy is gone"))
        with pytest.raises(ConnectionError, match="the proxy is gone"):
            await task
    assert (app.forgotten, talk.sent) == ([b"1"], [])


@on_a_loop
async def test_a_client_that_leaves_while_it_is_answered_is_nobodys_fault():
    talk = asked("/now", part(b"1"))

    async def send(message):
        talk.sent.append(message)
        raise BrokenPipeError

    await AsgiApp(HeldApp(), Limits())(talk.scope, talk.receive, send)
    assert len(talk.sent) == 1


@on_a_loop
async def test_requests_leave_no_garbage_and_no_tasks():
    app = Counting()
    asgi = AsgiApp(app, Limits())

    async def ask(*, stays: bool) -> None:
        talk = asked("/held", part(b"1"))
        task = asyncio.create_task(asgi(talk.scope, talk.receive, talk.send))
        await talk.until_waiting()
        app.asked.pop().answer() if stays else talk.tell(LEFT)
        await task
        app.heads.clear()

    async def ask_often(count: int) -> None:
        for each in range(count):
            await ask(stays=each % 2 == 0)

    await ask_often(10)
    gc.collect()
    gc.disable()
    try:
        await ask_often(100)
        left = gc.collect()
    finally:
        gc.enable()
    assert left < 100  # not one object a request
    assert asyncio.all_tasks() == {asyncio.current_task()}


# Where it is mounted


@pytest.mark.parametrize(
    ("root", "path", "target"),
    [
        ("", "/ping", "/ping"),
        ("/", "/ping", "/ping"),
        ("/app", "/app/ping", "/ping"),
        ("/app/", "/app/ping", "/ping"),
        ("/app", "/app", "/"),
        ("/app", "/app/", "/"),
        ("/a/b", "/a/b/c/d", "/c/d"),
        ("/a/b", "/a", "/a"),
        ("/app", "/app/app", "/app"),
        ("/app", "/apple/ping", "/apple/ping"),
        ("/app", "/ping", "/ping"),
        ("/app", "/app//ping", "//ping"),
        ("/app", "/%61pp/p%69ng", "/p%69ng"),
        ("/my app", "/my%20app/ping", "/ping"),
        ("/a/b", "/a%2Fb/ping", "/a%2Fb/ping"),
        ("/app", "*", "*"),
    ],
)
@pytest.mark.parametrize("query", ["", "a=%62&c"])
@on_a_loop
async def test_routes_begin_below_the_root(root, path, target, query):
    app = HeldApp()
    app.refusals = dict.fromkeys([target, f"{target}?{query}"], Response(200))
    more = {"root_path": root, "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode()}
    assert (await asked("/", part(), **more).held_by(AsgiApp(app, Limits()))).answer[0] == 200
    assert app.heads[0].target == (f"{target}?{query}" if query else target)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/app/a b", "/a%20b"),
        ("/app/\xe9", "/%C3%A9"),
        ("/app/a?b#c%d", "/a%3Fb%23c%25d"),
        ("/app/told:predict", "/told:predict"),
        ("/app/\udcff", "/%ED%B3%BF"),
        ("", "/"),
    ],
)
@pytest.mark.parametrize("raw", [{}, {"raw_path": None}])
@on_a_loop
async def test_a_server_that_does_not_tell_the_path_as_it_was_sent_is_served_too(path, target, raw):
    app = HeldApp()
    app.refusals[target] = Response(200)
    talk = asked("/", part(), root_path="/app", path=path)
    del talk.scope["raw_path"], talk.scope["query_string"]
    talk.scope |= raw
    assert (await talk.held_by(AsgiApp(app, Limits()))).answer[0] == 200
    assert app.heads[0].target == target


def test_a_workflow_is_found_below_the_root(both):
    talk = Said("POST", "/flows/wfpredict/told", (JSON,), b"[1]").to_asgi()
    talk.scope["root_path"] = "/flows"
    status, _, body = both.run(talk.held_by(both.asgi)).answer
    assert (status, json.loads(body)["row"]) == (200, {"body": [1]})


# What an application says


@pytest.mark.parametrize(
    ("method", "status", "length", "body"),
    [("GET", 200, "3", b"abc"), ("HEAD", 200, "3", b""), ("GET", 204, None, b""), ("GET", 304, None, b"")],
)
@on_a_loop
async def test_what_has_no_body_is_sent_without_one(method, status, length, body):
    app = HeldApp()
    app.refusals["/"] = Response(status, bytearray(b"abc"), "text/plain", {"X-A": "1"})
    app.refusals["/"].standing = b"x-request-id: a: b\r\n"
    found, fields, sent = (await asked("/", part(), method=method).held_by(AsgiApp(app, Limits()))).answer
    told = dict(fields)
    assert (found, told.get("content-length"), sent) == (status, length, body)
    assert (told["content-type"], told["x-a"], told["x-request-id"]) == ("text/plain", "1", "a: b")
    assert len(told) == len(fields)


class Raising(HeldApp):
    """Raises wherever its target says."""

    def admit(self, head):
        self._raise("/admit", head.target)
        return super().admit(head)

    def begin(self, head, body, reply):
        self._raise("/begin", head.target)
        if head.target == "/unsafe":
            reply(Response(200, b"x", None, {"x": "a\r\nb: c"}))
        if head.target == "/late":
            reply(Response(200, b"in time"))
            raise ValueError("late")
        if head.target == "/refuse":
            raise RequestError(418, "tea")
        return super().begin(head, body, reply)

    def refuse(self, error):
        if error.status == 418:
            raise ValueError("refuse")
        return super().refuse(error)

    def _raise(self, where, target):
        if target == where:
            raise ValueError(where)
        if target == f"{where}-refused":
            raise RequestError(429, "slowly")


@pytest.mark.parametrize(
    ("target", "status", "reported"),
    [
        ("/admit", 500, 1),
        ("/begin", 500, 1),
        ("/unsafe", 500, 1),
        ("/late", 200, 1),
        ("/refuse", 418, 1),
        ("/admit-refused", 429, 0),
        ("/begin-refused", 429, 0),
    ],
)
@on_a_loop
async def test_an_application_that_raises_has_one_answer_as_at_a_socket(target, status, reported):
    told: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    app, said = Raising(), Said("POST", target, (), b"x")
    server = Server(limits=Limits(), patience=Patience(), most_connections=10)
    (address,) = await server.listen(FREE, app)
    wanted = await asyncio.to_thread(by_socket, address.port, said)
    at_socket, told[:] = [each["message"] for each in told], []
    answer = (await said.to_asgi().held_by(AsgiApp(app, Limits()))).answer
    assert compared(answer) == compared(wanted)
    assert answer[0] == status
    assert [each["message"] for each in told] == at_socket
    assert len(told) == reported
    await server.drain(5)


@on_a_loop
async def test_an_application_that_raises_when_it_is_to_forget_is_reported():
    told: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    class Clings(HeldApp):
        def begin(self, head, body, reply):
            super().begin(head, body, reply)
            return lambda: 1 // 0

    app, talk = Clings(), asked("/held", part(b"1"))
    async with held_request(app, talk) as task:
        talk.tell(LEFT)
        await task
    assert [type(each["exception"]) for each in told] == [ZeroDivisionError]
    assert talk.sent == []


# What is no request


@on_a_loop
async def test_a_server_may_begin_and_end():
    talk = Talk({"type": "lifespan"}, {"type": "lifespan.startup"})
    task = asyncio.create_task(talk.held_by(AsgiApp(HeldApp(), Limits())))
    await talk.until_waiting()
    assert talk.sent.pop() == {"type": "lifespan.startup.complete"}
    talk.tell({"type": "lifespan.shutdown"})
    await task
    assert talk.sent == [{"type": "lifespan.shutdown.complete"}]


@on_a_loop
async def test_a_web_socket_is_turned_away():
    app = HeldApp()
    talk = await Talk({"type": "websocket"}, {"type": "websocket.connect"}).held_by(AsgiApp(app, Limits()))
    assert (talk.sent, app.heads) == ([{"type": "websocket.close"}], [])
    gone = await Talk({"type": "websocket"}, {"type": "websocket.disconnect"}).held_by(AsgiApp(app, Limits()))
    assert gone.sent == []


@on_a_loop
async def test_what_is_not_known_is_not_served():
    with pytest.raises(NotImplementedError, match='"telnet"'):
        await Talk({"type": "telnet"}).held_by(AsgiApp(HeldApp(), Limits()))
