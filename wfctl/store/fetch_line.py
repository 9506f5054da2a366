"""One line to a server: host looked up and judged, connected to the address that was judged, TLS, and a way to cut it.

Invariant: a name is looked up once and only what was looked up is connected to; whoever waits here is woken when
the line is cut (time is up, the caller gave up).
"""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NoReturn, Protocol

from wfctl.check.host import address_of
from wfctl.errors import FetchError
from wfctl.store.address import Address
from wfctl.store.policy import FetchPolicy
from wfctl.store.reach import why_not_public
from wfctl.store.stop import Stop

_GIVEN_UP = "it was given up"


class Closable(Protocol):
    """What is closed when the line is."""

    def close(self) -> None:
        """Let go of the socket."""


class Line:
    """The socket of one download, whichever it is at the moment; made by ``open_line``."""

    def __init__(self, policy: FetchPolicy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._stream: socket.socket | None = None
        self._lookup: Future[Sequence[str]] | None = None
        self._answer: Closable | None = None
        self.cut_because: str | None = None
        """Why the line was cut; ``None`` while it was not."""

    def cut(self, because: str) -> None:
        """End whatever waits on the line; the first reason counts."""
        with self._lock:
            self.cut_because = self.cut_because or because
            stream, lookup = self._stream, self._lookup
        if lookup is not None:
            with suppress(InvalidStateError):
                lookup.set_result(())
        if stream is not None:
            # Of the plain socket also under TLS, whose own shutdown is not for another thread.
            with suppress(OSError):
                socket.socket.shutdown(stream, socket.SHUT_RDWR)

    def connect(self, address: Address) -> socket.socket:
        """Return a socket to the server of ``address``, encrypted if its scheme says so."""
        self.hang_up()
        stream = self._plain(address, self._judged(address))
        if address.scheme == "https":
            stream = self._encrypted(address, stream)
        stream.settimeout(self._policy.limits.silence_s)
        return stream

    def take_answer(self, answer: "Closable") -> None:
        """Close an answer together with its socket."""
        self._answer = answer

    def hang_up(self) -> None:
        """Close the socket there is, and the answer that comes over it."""
        with self._lock:
            stream, self._stream = self._stream, None
        for each in filter(None, (self._answer, stream)):
            each.close()
        self._answer = None

    def do_not_wait(self) -> None:
        """Have the socket answer at once from now on."""
        with self._lock:
            if self._stream is not None:
                self._stream.settimeout(0.0)

    def give_up_if_cut(self, address: Address) -> None:
        """Raise if the line was cut."""
        if self.cut_because is not None:
            raise FetchError(f'"{address.shown}" was not fetched: {self.cut_because}')

    # --- the host ---------------------------------------------------------------------------------------------

    def _judged(self, address: Address) -> list[IPv4Address | IPv6Address]:
        literal = address_of(address.host)
        found = [literal] if literal else [ip_address(text) for text in self._looked_up(address)]
        for each in found:
            kind = why_not_public(each)
            if kind is not None and not self._policy.allowed.admits_inside(address.host, each):
                is_at = "" if literal else f" is at {each}, which"
                raise FetchError(
                    f'"{address.shown}" is not fetched: "{address.host}"{is_at} is {kind}',
                    hint=f'if you mean it, name the address too: --allow-url "{each}"',
                )
        return found

    def _looked_up(self, address: Address) -> Sequence[str]:
        limit = self._policy.limits.connect_s
        lookup: Future[Sequence[str]] = Future()
        with self._lock:
            self._lookup = lookup
        # The system's resolver cannot be interrupted; the thread is left to its end.
        ask = threading.Thread(target=self._ask, args=(address, lookup), name="wfctl-lookup", daemon=True)
        ask.start()
        self.give_up_if_cut(address)
        try:
            found = lookup.result(timeout=limit)
        except TimeoutError:
            raise FetchError(f'the host "{address.host}" could not be looked up within {limit:g} s') from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise FetchError(
                f'there is no host "{address.host}": {reason.lower()}', hint="check the name, and the network"
            ) from error
        self.give_up_if_cut(address)
        if not found:
            raise FetchError(f'the host "{address.host}" has no address')
        return found

    def _ask(self, address: Address, lookup: "Future[Sequence[str]]") -> None:
        try:
            found = self._policy.resolve(address.host, address.port)
        except (OSError, UnicodeError) as error:
            with suppress(InvalidStateError):
                lookup.set_exception(error if isinstance(error, OSError) else OSError(0, str(error)))
        else:
            with suppress(InvalidStateError):
                lookup.set_result(found)

    # --- the socket -------------------------------------------------------------------------------------------

    def _plain(self, address: Address, places: Sequence[IPv4Address | IPv6Address]) -> socket.socket:
        failures = []
        for place in dict.fromkeys(places):
            stream = socket.socket(socket.AF_INET6 if place.version == 6 else socket.AF_INET, socket.SOCK_STREAM)  # noqa: PLR2004
            self._hold(stream)
            stream.settimeout(self._policy.limits.connect_s)
            self.give_up_if_cut(address)
            try:
                stream.connect((str(place), address.port))
            except OSError as error:
                self.hang_up()
                self.give_up_if_cut(address)
                failures.append(f"{place}: {_why(error, self._policy.limits.connect_s)}")
            else:
                return stream
        raise FetchError(f'cannot connect to "{address.site}": {"; ".join(failures)}')

    def _encrypted(self, address: Address, plain: socket.socket) -> socket.socket:
        context = ssl.create_default_context(cafile=self._policy.authorities)
        # A connection that ends without a goodbye may have been cut by somebody on the way; Python before 3.11.4
        # has OpenSSL ignore that unless it is told not to.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        name = address.host
        try:
            stream = context.wrap_socket(
                plain, server_hostname=name, do_handshake_on_connect=False, suppress_ragged_eofs=False
            )
            self._hold(stream)
            self.give_up_if_cut(address)
            stream.do_handshake()
        except OSError as error:
            self.hang_up()
            self.give_up_if_cut(address)
            _refuse_handshake(address, error, self._policy.limits.connect_s)
        return stream

    def _hold(self, stream: socket.socket) -> None:
        with self._lock:
            self._stream = stream


@contextmanager
def open_line(policy: FetchPolicy, stop: Stop) -> Iterator[Line]:
    """Offer a line that is cut when the time is up or ``stop`` is set, and closed at the end."""
    line = Line(policy)
    late = f"it took longer than {policy.limits.whole_s:g} s"
    timer = threading.Timer(policy.limits.whole_s, line.cut, (late,))
    timer.daemon = True
    timer.start()
    try:
        with stop.heard_by(lambda: line.cut(_GIVEN_UP)):
            yield line
    finally:
        timer.cancel()
        line.hang_up()


def _why(error: OSError, limit_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {limit_s:g} s"
    return (error.strerror or str(error)).lower()


def _refuse_handshake(address: Address, error: OSError, limit_s: float) -> NoReturn:
    if isinstance(error, ssl.SSLCertVerificationError):
        raise FetchError(
            f'the certificate of "{address.site}" is not accepted: {error.verify_message}',
            hint="if it is signed by an authority of your own, name its certificate in SSL_CERT_FILE",
        ) from error
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise FetchError(f'no encrypted connection to "{address.site}": {reason}') from error
    raise FetchError(f'no encrypted connection to "{address.site}": {_why(error, limit_s)}') from error
