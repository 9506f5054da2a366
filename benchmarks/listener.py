"""A minimal HTTP listener before the relay: what any front end has to do, and nothing else.

``python -m benchmarks.listener 1,3,1`` listens before a relay whose stages are so wide. It says its port on standard
output once it can answer, and ends when its standard input does. Invariant: strict about what it reads (one form of
request, anything else is refused), and every request is parsed; it has no routes, no limits, no clocks, no keys, and
counts nothing.
"""

import asyncio
import re
import sys
from collections.abc import Mapping

from benchmarks.relay import Relay
from wfctl.service.own_process import only_handing_on

_HEAD = re.compile(r"POST /[!-~]* HTTP/1\.1\r\n((?:[-!#$%&'*+.^_`|~0-9A-Za-z]+:[ \t]*[\t -~]*\r\n)+)\r\n")
_FIELD = re.compile(r"([^:]+):[ \t]*([^\r]*?)[ \t]*\r\n")
_LONGEST_HEAD, _LONGEST_BODY = 16 * 2**10, 64 * 2**20
_JOINED, _ROOM = 64 * 2**10, 256 * 2**10


class Connection(asyncio.BufferedProtocol):
    """One client; it waits for each answer before it sends the next request."""

    def __init__(self, relay: Relay, place: memoryview) -> None:
        self._relay = relay
        self._place = place
        """What was received; shared by all connections, as it is used up in the turn in which it is filled."""
        self._transport: asyncio.Transport | None = None
        self._rest = bytearray()
        """Received and not yet a whole request, head included."""
        self._headers: Mapping[str, str] | None = None
        """Of a request whose body is still on its way; the head is off ``_rest`` by then."""
        self._wanted = 0
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the client."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client; what it asked for comes back and finds nobody."""
        del exc
        self._transport = None

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
            self._relay.submit(body, self._reply)
        elif len(body) < self._wanted:
            self._rest = body if isinstance(body, bytearray) else bytearray(body)
            self._headers = headers
        else:
            self._refuse()

    def _reply(self, body: bytes | bytearray) -> None:
        self._is_busy = False
        if self._transport is None:
            return
        head = b"HTTP/1.1 200 \r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n" % len(body)
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


async def serve(relay: Relay) -> None:
    """Answer until standard input ends."""
    loop = asyncio.get_running_loop()
    place = memoryview(bytearray(_ROOM))
    server = await loop.create_server(lambda: Connection(relay, place), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()
    loop.remove_reader(sys.stdin)
    server.close()


async def _serve_relay(widths: str) -> None:
    relay = Relay(asyncio.get_running_loop(), [int(each) for each in widths.split(",")])
    await serve(relay)
    relay.close()


def main() -> None:
    """Listen before the relay that the command line names."""
    with only_handing_on():
        asyncio.run(_serve_relay(sys.argv[1]))


if __name__ == "__main__":
    main()
