"""Where a server listens, and its connections.

Owns sockets and TLS. Invariant: nothing is said to listen that does not; a drained server has answered what it took.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wfctl.errors import Blame, WfctlError
from wfctl.web.config.addresses import Address
from wfctl.web.wire.budget import Budget
from wfctl.web.wire.connection import Connection
from wfctl.web.wire.crowd import Crowd, Door
from wfctl.web.wire.exchange import App
from wfctl.web.wire.messages import Limits
from wfctl.web.wire.patience import Patience
from wfctl.web.wire.unix_sockets import UnixSocket

_BACKLOG = 128
"""Also how many the loop takes at a time, and how often it complains where the system has no room for them."""
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
        self._crowd = Crowd()
        self._servers: list[asyncio.Server] = []
        self._sockets: list[UnixSocket] = []
        self._place = memoryview(bytearray(_ROOM))

    @property
    def connections(self) -> int:
        """Clients that are served."""
        return len(self._crowd.served)

    @property
    def turned_away(self) -> int:
        """Clients that came when there were as many as are served."""
        return self._crowd.turned_away

    async def listen(self, address: Address, app: App) -> list[Address]:
        """Listen at an address; returns where that is: with the port that was free, and each address of a name.

        Raises ``ListenError``.
        """
        loop = asyncio.get_running_loop()
        context = _tls(self._certificate, address) if address.scheme == "https" else None
        factory = self._factory(app)
        try:
            if address.scheme == "unix":
                own = UnixSocket(address.path, _BACKLOG)
                self._sockets.append(own)
                server: asyncio.Server = await loop.create_unix_server(factory, sock=own.socket, backlog=_BACKLOG)
            else:
                server = await loop.create_server(
                    factory,
                    address.host or None,
                    address.port,
                    ssl=context,
                    backlog=_BACKLOG,
                    ssl_handshake_timeout=None if context is None else self._patience.head_s,
                )
        except OSError as error:
            raise _unheard(address, error) from error
        self._servers.append(server)
        if address.scheme == "unix":
            return [address]
        return [_place_of(each, address) for each in server.sockets]

    def _factory(self, app: App) -> Callable[[], asyncio.BaseProtocol]:
        door = Door(self._crowd, self._most)

        def connection() -> asyncio.BaseProtocol:
            return Connection(
                app, self._place, limits=self._limits, patience=self._patience, budget=self._budget, door=door
            )

        return connection

    async def drain(self, within_s: float) -> int:
        """Listen no more, answer what has come, and end; returns how many connections had to be cut."""
        for own in self._sockets:
            own.remove()
        self._sockets.clear()
        for server in self._servers:
            server.close()
        return await self._crowd.drain(within_s)


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


def _unheard(address: Address, error: OSError) -> ListenError:
    reason = error.strerror or str(error)
    hint = None
    if isinstance(error, PermissionError):
        hint = "ports below 1024 are the administrator's" if address.port < 1024 else None  # noqa: PLR2004
    elif "in use" in str(error).lower():
        is_path = address.scheme == "unix"
        hint = (
            "stop it, or choose another path" if is_path else "stop it, or choose another port (0 for any that is free)"
        )
        reason = "something listens there already"
    return ListenError(f'cannot listen at "{address}": {reason.lower()}', hint=hint)
