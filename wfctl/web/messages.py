"""Requests and responses as values, and why a request is refused.

Hot records: plain slotted classes, made once per request. Invariant: values only; what they look like as bytes is
known in ``http1``, and what they mean to an application is known elsewhere.
"""

from collections.abc import Mapping, Sequence
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


class Head:
    """A request without its body."""

    __slots__ = (
        "_fields",
        "expects_continue",
        "headers",
        "judged",
        "keeps_alive",
        "length",
        "method",
        "target",
        "version",
    )

    def __init__(
        self,
        method: str,
        target: str,
        version: int,
        headers: dict[str, str],
        fields: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.method = method
        """As it was sent: methods are case-sensitive."""
        self.target = target
        """As it was sent: printable ASCII, neither decoded nor normalised."""
        self.version = version
        """0 for HTTP/1.0, 1 for HTTP/1.1."""
        self.headers = headers
        """Name in lower case -> value; values of fields that came more than once are joined by a comma."""
        self._fields = fields
        self.length: int | None = 0
        """Bytes of the body; ``None`` for one that comes in chunks."""
        self.keeps_alive = False
        """Whether the client wants to send another request."""
        self.expects_continue = False
        """Whether the client waits for leave to send the body."""
        self.judged: object = None
        """What the application made of it before the body came."""

    @property
    def sent(self) -> dict[str, str]:
        """The fields as handlers see them: names in the client's case, and of those that came twice the last."""
        return {name: value.strip(" \t") for name, value in self._fields}

    def __repr__(self) -> str:
        return f"Head({self.method!r}, {self.target!r}, HTTP/1.{self.version}, {len(self.headers)} fields)"


class Response:
    """An answer."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self, status: int, body: Body = b"", content_type: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers: Mapping[str, str] = headers or {}
        """Further fields; those of the framing are not among them."""

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
