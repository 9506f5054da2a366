"""Where a server listens, and its connections.

Owns sockets and TLS. Invariant: nothing is said to listen that does not; a drained server has answered what it took.
"""

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wfctl.errors import Blame, WfctlError
from wfctl.web.config.addresses import Address
from wfctl.web.wire.budget import Budget
from wfctl.web.wire.connection import Connection
from wfctl.web.wire.exchange import App
from wfctl.web.wire.messages import Limits, RequestError
from wfctl.web.wire.patience import Patience
from wfctl.web.wire.replies import encode_response

_BACKLOG = 1024
_ROOM = 256 * 1024
"""Bytes that are received at a time at most."""


MOST_HELD = 1 << 30
"""Bytes of bodies that a server holds at a time, on their way and at work."""


class ListenError(WfctlError):
    """An address cannot be listened at."""

    code = "cannot-listen"
    blame = Blame.SYSTEM


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a server shows for itself."""

    chain: Path
    """PEM, the server's own first."""
    key: Path | None = None
    """PEM; ``None`` if it stands in the same file."""


class Server:
    """Listens at addresses and hands connections to applications."""

    def __init__(
        self,
        *,
        limits: Limits,
        patience: Patience,
        most_connections: int,
        most_held: int = MOST_HELD,
        certificate: Certificate | None = None,
    ) -> None:
        self._limits = limits
        self._patience = patience
        self._most = most_connections
        self._budget = Budget(most_held)
        self._certificate = certificate
        self._connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []
        self._sockets: list[Path] = []
        """Sockets in the file system that are ours."""
        self._place = memoryview(bytearray(_ROOM))
        self._ended = asyncio.Event()
        self.turned_away = 0
        """Clients that came when there were as many as are served."""

    @property
    def connections(self) -> int:
        """Clients that are connected."""
        return len(self._connections)

    async def listen(self, address: Address, app: App) -> list[Address]:
        """Listen at an address; returns where that is: with the port that was free, and each address of a name.

        Raises ``ListenError``.
        """
        loop = asyncio.get_running_loop()
        context = _tls(self._certificate, address) if address.scheme == "https" else None
        factory = self._factory(app)
        try:
            if address.scheme == "unix":
                _clear_stale(address.path)
                server: asyncio.Server = await loop.create_unix_server(factory, address.path, backlog=_BACKLOG)
                self._sockets.append(Path(address.path))
            else:
                server = await loop.create_server(
                    factory, address.host or None, address.port, ssl=context, backlog=_BACKLOG
                )
        except OSError as error:
            raise _unheard(address, error) from error
        self._servers.append(server)
        if address.scheme == "unix":
            return [address]
        return [_place_of(each, address) for each in server.sockets]

    def _factory(self, app: App) -> Callable[[], asyncio.BaseProtocol]:
        own: set[Connection] = set()
        """Each address has as many as there may be: who manages is not kept out by who asks for answers."""

        def forget(connection: Connection) -> None:
            own.discard(connection)
            self._forget(connection)

        def connection() -> asyncio.BaseProtocol:
            if len(own) >= self._most:
                self.turned_away += 1
                return TurnedAway(app, self._patience)
            made = Connection(
                app, self._place, limits=self._limits, patience=self._patience, budget=self._budget, on_end=forget
            )
            own.add(made)
            self._connections.add(made)
            return made

        return connection

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._ended.set()

    async def drain(self, within_s: float) -> int:
        """Listen no more, answer what has come, and end; returns how many connections had to be cut."""
        for server in self._servers:
            server.close()
        for path in self._sockets:
            with suppress(OSError):
                path.unlink()
        for connection in tuple(self._connections):
            connection.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._connections:
                    self._ended.clear()
                    await self._ended.wait()
        left = len(self._connections)
        for connection in tuple(self._connections):
            connection.cut()
        return left


class TurnedAway(asyncio.Protocol):
    """A connection beyond those that are served: it is told so and closed, and what it sends is thrown away."""

    def __init__(self, app: App, patience: Patience) -> None:
        self._app = app
        self._patience = patience

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say that it is too much, and wait until the client has read it: closed at once, it might not."""
        if isinstance(transport, asyncio.Transport):
            refusal = self._app.refuse(RequestError(503, "the server has as many connections as it takes"))
            transport.writelines(encode_response(refusal, None, keeps_alive=False))
            if transport.can_write_eof():
                transport.write_eof()
            asyncio.get_running_loop().call_later(self._patience.linger_s, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Throw away what it sends."""


def _place_of(listening: socket.socket, asked: Address) -> Address:
    host, port = listening.getsockname()[:2]
    return Address(scheme=asked.scheme, host=host, port=port)


def _tls(certificate: Certificate | None, address: Address) -> ssl.SSLContext:
    if certificate is None:
        raise ListenError(
            f'"{address}" needs a certificate',
            hint="name one with --certificate-file and --private-key-file (PEM)",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A key with a password would ask for it on the terminal, in the middle of everything.
        context.load_cert_chain(certificate.chain, certificate.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ListenError(
            f'the certificate "{certificate.chain}" cannot be used: {getattr(error, "strerror", None) or error}',
            hint="a PEM file with the chain, the server's own certificate first, and its key without a password",
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("its key has a password")


def _clear_stale(path: str) -> None:
    """Remove a socket that a server left behind that was killed; one that answers, or any other file, stays."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108 - beside its neighbours
        except OSError:
            return


def _unheard(address: Address, error: OSError) -> ListenError:
    reason = error.strerror or str(error)
    hint = None
    if isinstance(error, PermissionError):
        hint = "ports below 1024 are the administrator's" if address.port < 1024 else None  # noqa: PLR2004
    elif "in use" in str(error).lower():
        reason, hint = "something listens there already", "stop it, or choose another port (0 for any that is free)"
    return ListenError(f'cannot listen at "{address}": {reason.lower()}', hint=hint)
