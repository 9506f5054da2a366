"""A listener on a real socket before an application that answers when it is told to."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress

from wfctl.web.wire.budget import Budget
from wfctl.web.wire.connection import Connection
from wfctl.web.wire.crowd import Crowd, Door
from wfctl.web.wire.messages import Head, Limits, RequestError, Response
from wfctl.web.wire.patience import Patience


class Asked:
    """One request as the application got it."""

    def __init__(self, head: Head, body: bytes, reply: Callable[[Response], None]) -> None:
        self.head, self.body, self.reply = head, body, reply
        self.is_forgotten = False

    def forget(self) -> None:
        self.is_forgotten = True

    def answer(self, body: bytes = b"", status: int = 200) -> None:
        self.reply(Response(status, body or self.body))


class HeldApp:
    """Keeps every request until the test answers it; ``/now`` is answered at once with its body."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.asked: list[Asked] = []
        self.refusals: dict[str, Response] = {}
        self._change = asyncio.Event()

    def admit(self, head: Head) -> Response | None:
        self.heads.append(head)
        self._change.set()
        return self.refusals.get(head.target)

    def begin(self, head: Head, body: bytearray, reply: Callable[[Response], None]) -> Callable[[], None]:
        asked = Asked(head, bytes(body), reply)
        if head.target == "/now":
            asked.answer()
        else:
            self.asked.append(asked)
        self._change.set()
        return asked.forget

    def refuse(self, error: RequestError) -> Response:
        self._change.set()
        return Response(error.status, error.message.encode())

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so that changes with what is asked."""
        async with asyncio.timeout(10):
            while not is_so():
                self._change.clear()
                await self._change.wait()


class Listener:
    """Where the application can be reached."""

    def __init__(self, app: HeldApp, port: int, most_held: int = 1 << 30) -> None:
        self.app, self.port = app, port
        self.crowd = Crowd()
        self.connections = self.crowd.served
        self.budget = Budget(most_held)
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return reader, writer

    async def leave(self) -> None:
        """Close every client."""
        for each in self._writers:
            each.close()
        await asyncio.gather(*(each.wait_closed() for each in self._writers), return_exceptions=True)

    async def until_all_ended(self) -> None:
        """Wait until the server has forgotten every connection."""
        async with asyncio.timeout(10):
            while self.connections:
                self.crowd._left.clear()
                await self.crowd._left.wait()


@asynccontextmanager
async def listening(
    *, limits: Limits | None = None, buffers: int = 0, most: int = 4096, most_held: int = 1 << 30, **seconds: float
):
    """Listen; the seconds are those of ``Patience``, the buffers those of the sockets on our side, in bytes."""
    app, patience = HeldApp(), Patience(**seconds)
    listener = Listener(app, 0, most_held)
    place = memoryview(bytearray(65536))

    door = Door(listener.crowd, most)

    def connection() -> Connection:
        return Connection(app, place, limits=limits or Limits(), patience=patience, budget=listener.budget, door=door)

    listens = socket.create_server(("127.0.0.1", 0))
    if buffers:
        listens.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
    server = await asyncio.get_running_loop().create_server(connection, sock=listens)
    listener.port = listens.getsockname()[1]
    try:
        yield listener
    finally:
        await listener.leave()
        server.close()


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one response; raises ``IncompleteReadError`` at the end of the stream."""
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        told = dict(field.split(": ", 1) for field in fields)
        status = int(line.split(" ")[1])
        body = b"" if status == 100 else await reader.readexactly(int(told.get("content-length", "0")))
        return status, told, body


async def reset(writer: asyncio.StreamWriter) -> None:
    """Leave as a program does that is killed with unread answers: by a reset."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
