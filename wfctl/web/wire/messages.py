"""Requests and responses as values, and why a request is refused.

Hot records: plain slotted classes, made once per request. Invariant: values only; what they look like as bytes is
known in ``http1``, and what they mean to an application is known elsewhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Body = bytes | bytearray


class RequestError(Exception):
    """A request that is refused; the connection is closed behind the answer, for what follows cannot be trusted.

    ``status`` is the HTTP status of that answer, ``message`` what a client may read.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Fields:
    """The fields of a request: what is the same in all requests with the same head, made once for all of them."""

    __slots__ = ("_for_handlers", "_pairs", "headers", "known")

    def __init__(self, headers: dict[str, str], pairs: Sequence[tuple[str, str]] = ()) -> None:
        self.headers = headers
        """Name in lower case -> value; values of fields that came more than once are joined by a comma."""
        self._pairs = pairs
        self._for_handlers: bytes | None = None
        self.known: object = None
        """What the application found out about requests with this head that holds for all of them."""

    @property
    def sent(self) -> dict[str, str]:
        """The fields as handlers see them: names in the client's case, and of those that came twice the last."""
        return {name: value.strip(" \t") for name, value in self._pairs}

    def for_handlers(self, write: Callable[[dict[str, str]], bytes]) -> bytes:
        """Return what ``write`` makes of the fields for handlers; it is asked once."""
        if self._for_handlers is None:
            self._for_handlers = write(self.sent)
        return self._for_handlers


class Head:
    """A request without its body."""

    __slots__ = (
        "expects_continue",
        "fields",
        "headers",
        "judged",
        "keeps_alive",
        "length",
        "method",
        "target",
        "version",
    )

    def __init__(self, method: str, target: str, version: int, fields: Fields) -> None:
        self.method = method
        """As it was sent: methods are case-sensitive."""
        self.target = target
        """As it was sent: printable ASCII, neither decoded nor normalised."""
        self.version = version
        """0 for HTTP/1.0, 1 for HTTP/1.1."""
        self.fields = fields
        self.headers = fields.headers
        self.length: int | None = 0
        """Bytes of the body; ``None`` for one that comes in chunks."""
        self.keeps_alive = False
        """Whether the client wants to send another request."""
        self.expects_continue = False
        """Whether the client waits for leave to send the body."""
        self.judged: object = None
        """What the application made of it before the body came."""

    def again(self) -> "Head":
        """Return the head of a request that begins just like this one."""
        other = Head(self.method, self.target, self.version, self.fields)
        other.length = self.length
        other.keeps_alive = self.keeps_alive
        other.expects_continue = self.headers.get("expect") is not None and self.version > 0
        return other

    @property
    def sent(self) -> dict[str, str]:
        """The fields as handlers see them."""
        return self.fields.sent

    def __repr__(self) -> str:
        return f"Head({self.method!r}, {self.target!r}, HTTP/1.{self.version}, {len(self.headers)} fields)"


class Response:
    """An answer."""

    __slots__ = ("body", "content_type", "headers", "standing", "status")

    def __init__(
        self, status: int, body: Body = b"", content_type: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers: Mapping[str, str] = headers or {}
        """Further fields; those of the framing are not among them."""
        self.standing = b""
        """Fields that every answer of the server has, as they are written."""

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes, {self.content_type!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a request is taken, in bytes unless it says otherwise."""

    line: int = 16 * 1024
    """Of the first line."""
    head: int = 64 * 1024
    """Of the first line and all fields together."""
    fields: int = 200
    """Number of fields."""
    body: int = 6_553_500
    """Of the body, chunks' own bytes not counted; as the original's ``max_request_size``."""
