"""A load generator: closed-loop clients in one process, each waiting for its answer before it asks again.

Invariant: a wrong answer ends the measurement; what an answer must be is asked once and compared byte by byte.
It uses the processor itself, on the same machine as the server, and says how much.
"""

import json
import select
import socket
import statistics
import time
from dataclasses import dataclass, replace
from typing import Any


class BadAnswerError(Exception):
    """The server answered something else than the right thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a server did under load."""

    done: int
    all_done: int
    """Those before the measurement too."""
    rate: float
    """Answers a second."""
    p50_s: float
    p99_s: float
    own_cpu_s: float
    """Seconds of processor that one request cost the generator."""


PATH = b"/wfpredict/flow"
"""Of the workflow that is asked; a server may know it by another name (``Server.addressed``)."""


def request_of(body: bytes, content_type: str = "application/octet-stream") -> bytes:
    """Return a whole request; it names its own id, so that all answers are the same."""
    fields = (
        f"Host: 127.0.0.1\r\nX-Request-Id: benchmark\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}"
    )
    return b"POST %b HTTP/1.1\r\n%b\r\n\r\n%b" % (PATH, fields.encode(), body)


def json_request(value: Any) -> bytes:
    """Return a whole request with a JSON text."""
    return request_of(json.dumps(value).encode(), "application/json")


def ask(port: int, request: bytes) -> tuple[bytes, bytes]:
    """Send one request and return the whole answer, and its body; raise unless it is a success."""
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(request)
        received = b""
        while (wanted := _size_of(received)) is None or len(received) < wanted:
            piece = stream.recv(1 << 20)
            if not piece:
                raise BadAnswerError(f"the server closed the connection after {received[:200]!r}")
            received += piece
    if not received.startswith(b"HTTP/1.1 200 "):
        raise BadAnswerError(repr(received[:200]))
    return received, received[received.index(b"\r\n\r\n") + 4 :]


def _size_of(received: bytes) -> int | None:
    head, separator, _ = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    return len(head) + len(separator) + int(fields[b"content-length"])


class Client:
    """One connection."""

    __slots__ = ("begun", "received", "stream", "unsent")

    def __init__(self, port: int) -> None:
        self.stream = socket.create_connection(("127.0.0.1", port))
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self.begun = 0.0
        self.received = b""
        """Of an answer that came in pieces."""
        self.unsent = memoryview(b"")


def put_under_load(port: int, request: bytes, *, connections: int, seconds: float) -> Load:
    """Ask for ``seconds`` over so many connections, the first tenth of the time uncounted."""
    expected, _ = ask(port, request)
    clients = [Client(port) for _ in range(connections)]
    try:
        generator = Generator(clients, request, expected)
        first = generator.ask_for(seconds / 10)
        load = generator.ask_for(seconds)
        return replace(load, all_done=first.done + load.done + 1)
    finally:
        for client in clients:
            client.stream.close()


class Generator:
    """Clients over one epoll."""

    def __init__(self, clients: list[Client], request: bytes, expected: bytes) -> None:
        self._clients = {client.stream.fileno(): client for client in clients}
        self._request = request
        self._expected = expected
        self._place = memoryview(bytearray(1 << 20))
        self._poll = select.epoll()
        for number in self._clients:
            self._poll.register(number, select.EPOLLIN)
        self._open = 0
        self._times: list[float] = []

    def ask_for(self, seconds: float) -> Load:
        """Keep every client busy for so long, and wait for the last answers."""
        self._times = []
        processor, started = time.process_time(), time.perf_counter()
        until = started + seconds
        for client in self._clients.values():
            self._send(client, time.perf_counter())
        self._open = len(self._clients)
        while self._open:
            self._turn(until)
        took = time.perf_counter() - started
        times = sorted(self._times)
        return Load(
            done=len(times),
            all_done=len(times),
            rate=len(times) / took,
            p50_s=statistics.median(times),
            p99_s=times[len(times) * 99 // 100],
            own_cpu_s=(time.process_time() - processor) / len(times),
        )

    def _turn(self, until: float) -> None:
        found = self._poll.poll(30)
        if not found:
            raise BadAnswerError("no answer for half a minute")
        now = time.perf_counter()
        for number, event in found:
            client = self._clients[number]
            if event & select.EPOLLOUT:
                self._send_rest(client)
            elif self._has_answer(client):
                self._times.append(now - client.begun)
                if now < until:
                    self._send(client, now)
                else:
                    self._open -= 1

    def _has_answer(self, client: Client) -> bool:
        size = client.stream.recv_into(self._place)
        received, expected = self._place[:size], self._expected
        if received == expected:  # nearly always
            return True
        whole = client.received + received
        if whole == expected:
            client.received = b""
            return True
        if not size or not expected.startswith(whole):
            raise BadAnswerError(f"expected {expected[:200]!r}, got {whole[:200]!r}")
        client.received = whole
        return False

    def _send(self, client: Client, now: float) -> None:
        client.begun = now
        sent = client.stream.send(self._request)
        if sent < len(self._request):
            client.unsent = memoryview(self._request)[sent:]
            self._poll.modify(client.stream, select.EPOLLIN | select.EPOLLOUT)

    def _send_rest(self, client: Client) -> None:
        client.unsent = client.unsent[client.stream.send(client.unsent) :]
        if not client.unsent:
            self._poll.modify(client.stream, select.EPOLLIN)
