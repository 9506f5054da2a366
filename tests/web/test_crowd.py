"""Who is taken and who is not: too many clients, handshakes that fail, and a server that ends."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakes.loops import on_a_loop
from listening import HeldApp, answer_of, listening

from wfctl.cli.serve_voice import Unhandled
from wfctl.web.config.addresses import Address
from wfctl.web.server import Certificate, Server
from wfctl.web.wire.crowd import MOST_LINGERING
from wfctl.web.wire.messages import Limits, Response
from wfctl.web.wire.patience import Patience

CERTIFICATES = Path(__file__).parent.parent / "fakes" / "certificates"
ASKS = b"GET /now HTTP/1.1\r\nHost: h\r\n\r\n"


@asynccontextmanager
async def secure(*, app=None, most=2, **seconds):
    """Serve over TLS; yields the server and its port."""
    certificate = Certificate(chain=CERTIFICATES / "models.test.pem", key=CERTIFICATES / "models.test.key")
    server = Server(limits=Limits(), patience=Patience(**seconds), most_connections=most, certificate=certificate)
    (address,) = await server.listen(Address(scheme="https", host="127.0.0.1", port=0), app or HeldApp())
    try:
        yield server, address.port
    finally:
        await server.drain(0)


def context():
    made = ssl.create_default_context(cafile=CERTIFICATES / "models.test.pem")
    made.check_hostname = False
    return made


@on_a_loop
async def test_handshakes_that_fail_take_nobodys_place():
    async with secure(most=2) as (server, port):
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(ASKS)  # in plain text
            await reader.read()
            writer.close()
        assert server.connections == 0
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context())
        writer.write(ASKS)
        assert (await answer_of(reader))[0] == 200
        assert server.connections == 1
        writer.close()


@on_a_loop
async def test_a_handshake_that_does_not_come_ends_in_time():
    async with secure(head_s=0.2) as (_, port), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()


@on_a_loop
async def test_a_handshake_under_way_keeps_no_end_waiting_and_comes_to_nothing():
    async with secure(linger_s=60) as (server, port), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        other, _ = await asyncio.open_connection("127.0.0.1", port, ssl=context())  # later: the first is accepted, too
        assert await server.drain(30) == 0
        assert await other.read() == b""
        await writer.start_tls(context())
        assert await reader.read() == b""
        writer.close()


@on_a_loop
async def test_a_client_that_asks_its_end_of_tls_is_answered_without_a_complaint(caplog):
    async with secure() as (_, port), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context())
        writer.write(b"POST /held HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
    assert not [each for each in caplog.records if each.levelname == "WARNING"]


SIZE = 12_000_000


class LargeApp(HeldApp):
    """Answers with more than all buffers on the way take."""

    def begin(self, head, body, reply):
        del head, body
        reply(Response(200, bytes(SIZE)))
        return lambda: None


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
@on_a_loop
async def test_what_a_client_of_tls_does_not_take_counts_and_has_an_end(more):
    async with secure(app=LargeApp(), write_s=0.3, idle_s=60, linger_s=60) as (server, port), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context())
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n" + more + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert server._budget.held > SIZE // 4
        ended = asyncio.Event()
        server._crowd._left = ended  # nobody drains it meanwhile
        await ended.wait()
        assert (server.connections, server._budget.held) == (0, 0)
        writer.close()


@on_a_loop
async def test_a_client_of_tls_that_is_slow_gets_all_of_its_answer():
    async with secure(app=LargeApp(), write_s=0.3, linger_s=0.1) as (_, port), asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context())
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        size = 0
        while piece := await reader.read(250_000):
            size += len(piece)
            await asyncio.sleep(0.01)  # in all much longer than a connection lingers
        assert size > SIZE
        writer.close()


@on_a_loop
async def test_so_many_are_told_that_there_are_too_many_and_the_rest_is_cut():
    async with listening(most=1, linger_s=60) as at:
        first, asking = await at.connect()
        asking.write(ASKS)
        assert (await answer_of(first))[0] == 200
        for _ in range(MOST_LINGERING):
            reader, _ = await at.connect()
            status, fields, _ = await answer_of(reader)
            assert (status, fields["connection"]) == (503, "close")
            assert not reader._transport.is_closing()
        reader, _ = await at.connect()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await answer_of(reader)
        assert at.crowd.turned_away == MOST_LINGERING + 1
        assert len(at.connections) == 1
        asking.write(ASKS)
        assert (await answer_of(first))[0] == 200


class Told:
    """Keeps what is logged."""

    def __init__(self):
        self.lines = []
        self.came = asyncio.Event()

    def on_unhandled(self, loop, context):
        del loop
        self.lines.append(context["message"])

    def error(self, message):
        self.lines.append(message)
        self.came.set()


@on_a_loop
async def test_the_same_complaint_is_told_once_with_how_often_it_came():
    told, loop = Told(), asyncio.get_running_loop()
    unhandled = Unhandled(told, every_s=0.05)
    for _ in range(1000):
        unhandled.take(loop, {"message": "no files", "exception": OSError()})
    unhandled.take(loop, {"message": "something else"})
    assert told.lines == ["no files", "something else"]
    await asyncio.wait_for(told.came.wait(), 10)
    assert told.lines[2:] == ["no files (OSError): 999 times more"]
