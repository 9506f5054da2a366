"""A minimal HTTP listener: what stands before the engine, and before the relay, until there is a real front end.

``python -m benchmarks.listener engine FOLDER`` serves the workflow in a folder, ``... relay 1,3,1`` a relay whose
stages are so wide. It says its port on standard output once it can answer, and ends when its standard input does.
Both have the same front, so that two servers differ in what is behind it and in nothing else.
Invariant: strict about what it reads (one form of request, anything else is refused), and no faster than a front end
can be: every request is parsed, and the handlers see its headers.
"""

import asyncio
import re
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

import wfctl
from benchmarks.relay import Relay
from wfctl.engine.call import Part
from wfctl.engine.core.records import Run
from wfctl.engine.engine import Engine
from wfctl.errors import WfctlError
from wfctl.service.own_process import only_handing_on

_HEAD = re.compile(r"POST /[!-~]* HTTP/1\.1\r\n((?:[-!#$%&'*+.^_`|~0-9A-Za-z]+:[ \t]*[\t -~]*\r\n)+)\r\n")
_FIELD = re.compile(r"([^:]+):[ \t]*([^\r]*?)[ \t]*\r\n")
_LONGEST_HEAD, _LONGEST_BODY = 16 * 2**10, 64 * 2**20
_JOINED, _ROOM = 64 * 2**10, 256 * 2**10
_BYTES_TYPE = "application/octet-stream"

Reply = Callable[[int, bytes | bytearray, str | None], None]
"""Takes status, body and content type."""


class Behind(Protocol):
    """What answers the requests."""

    def take(self, body: bytes | bytearray, headers: Mapping[str, str], reply: Reply) -> object:
        """Begin to answer; what is returned stands for the request."""

    def forget(self, taken: object) -> None:
        """Nobody waits for this one any more."""


class BehindEngine:
    """A running workflow."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, body: bytes | bytearray, headers: Mapping[str, str], reply: Reply) -> Run:
        """Begin a run."""
        parts = (Part("body", body, headers.get("content-type", _BYTES_TYPE)),)
        return self._engine.submit(parts, headers, lambda run: self._settled(run, reply))

    def forget(self, taken: object) -> None:
        """Withdraw a run."""
        if isinstance(taken, Run):
            self._engine.withdraw(taken)

    def _settled(self, run: Run, reply: Reply) -> None:
        try:
            result = self._engine.result(run)
        except WfctlError as error:
            reply(getattr(error, "status", 503), str(error).encode(), "text/plain")
        else:
            reply(result.status, result.body, result.content_type)


class BehindRelay:
    """Bare processes."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def take(self, body: bytes | bytearray, headers: Mapping[str, str], reply: Reply) -> None:
        """Send the body around."""
        del headers
        self._relay.submit(body, lambda answer: reply(200, answer, None))

    def forget(self, taken: object) -> None:
        """Let it come back."""


class Connection(asyncio.BufferedProtocol):
    """One client; it waits for each answer before it sends the next request."""

    def __init__(self, behind: Behind, place: memoryview) -> None:
        self._behind = behind
        self._place = place
        """What was received; shared by all connections, as it is used up in the turn in which it is filled."""
        self._transport: asyncio.Transport | None = None
        self._rest = bytearray()
        """Received and not yet a whole request, head included."""
        self._headers: Mapping[str, str] | None = None
        """Of a request whose body is still on its way; the head is off ``_rest`` by then."""
        self._wanted = 0
        self._taken: object = None
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the client."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client and what it asked for."""
        del exc
        self._transport = None
        if self._is_busy:
            self._behind.forget(self._taken)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the place for the next bytes."""
        del sizehint
        return self._place

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes of a request."""
        data = self._place[:nbytes]
        if self._is_busy:
            self._refuse()
        elif self._headers is not None:
            self._rest += data
            self._take_body(self._rest, self._headers)
        elif self._rest:
            self._rest += data
            self._take_head(bytes(self._rest))
        else:
            self._take_head(bytes(data))

    def _take_head(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            self._rest = bytearray(data)
            if len(data) > _LONGEST_HEAD:
                self._refuse()
            return
        headers = _headers_in(data[:end])
        if headers is None:
            self._refuse()
            return
        self._wanted = int(headers["content-length"])
        self._take_body(data[end:], headers)

    def _take_body(self, body: bytes | bytearray, headers: Mapping[str, str]) -> None:
        if len(body) == self._wanted:
            self._is_busy = True
            if self._headers is not None:
                self._headers, self._rest = None, bytearray()
            self._taken = self._behind.take(body, headers, self._reply)
        elif len(body) < self._wanted:
            self._rest = body if isinstance(body, bytearray) else bytearray(body)
            self._headers = headers
        else:
            self._refuse()

    def _reply(self, status: int, body: bytes | bytearray, content_type: str | None) -> None:
        self._is_busy, self._taken = False, None
        if self._transport is None:
            return
        kind = (content_type or _BYTES_TYPE).encode()
        head = b"HTTP/1.1 %d \r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (status, kind, len(body))
        if len(body) <= _JOINED:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    def _refuse(self) -> None:
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 400 \r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self._transport.close()


def _headers_in(head: bytes) -> dict[str, str] | None:
    """Return the headers of a request that has one of each and a length; ``None`` for any other."""
    match = _HEAD.fullmatch(head.decode("latin-1"))
    if match is None:
        return None
    fields = _FIELD.findall(match[1])
    headers = {name.lower(): value for name, value in fields}
    length = headers.get("content-length", "")
    if len(headers) != len(fields) or not length.isdigit() or "transfer-encoding" in headers:
        return None
    return headers if len(length) < 10 and int(length) <= _LONGEST_BODY else None


async def serve(behind: Behind) -> None:
    """Answer until standard input ends."""
    loop = asyncio.get_running_loop()
    place = memoryview(bytearray(_ROOM))
    server = await loop.create_server(lambda: Connection(behind, place), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()
    loop.remove_reader(sys.stdin)
    server.close()


async def _serve_engine(folder: str) -> None:
    async with wfctl.open_deployment(folder) as flow:
        await serve(BehindEngine(flow.engine))


async def _serve_relay(widths: str) -> None:
    relay = Relay(asyncio.get_running_loop(), [int(each) for each in widths.split(",")])
    await serve(BehindRelay(relay))
    relay.close()


def main() -> None:
    """Serve what the command line names."""
    what, which = sys.argv[1:]
    with only_handing_on():
        asyncio.run({"engine": _serve_engine, "relay": _serve_relay}[what](which))


if __name__ == "__main__":
    main()
