"""Responses become bytes (RFC 9112).

Pure. Invariant: whatever a response holds, what is written is one response: no field can end its line.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

from wfctl.web.wire.grammar import NAME, VALUE
from wfctl.web.wire.messages import Body, Fields, Head, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_PHRASES = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}
_NAME, _VALUE = re.compile(NAME), re.compile(VALUE)
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_NOT_KEPT = (
    b"pragma: no-cache\r\ncache-control: no-cache; no-store, must-revalidate, private\r\n"
    b"expires: Thu, 01 Jan 1970 00:00:00 UTC\r\n"
)
"""As every answer of the original has it, unless the application says for how long one may be kept."""
_WITHOUT_BODY = frozenset({204, 304})
_JOINED = 64 * 1024
"""Bodies up to here are copied behind their head: one buffer is cheaper to write than two."""
_ASKS_FOR_HEAD = Head("HEAD", "", 1, Fields({}))


class UnsafeFieldError(ValueError):
    """A field that would be read as something else than one field."""


def encode_response(response: Response, head: Head | None, *, keeps_alive: bool) -> list[Body]:
    """Return a response as buffers to write one after another; ``head`` is that of the request, if there was one.

    Raises ``UnsafeFieldError``.
    """
    body, status = response.body, response.status
    begin = _beginning(status, response.content_type, keeps_alive)
    fields = response.headers
    if fields:
        begin += encode_fields(fields)
    if not fields or not any(name.lower() == "cache-control" for name in fields):
        begin += _NOT_KEPT
    if status in _WITHOUT_BODY:
        return [begin + response.standing + b"\r\n"]
    begin += b"%bcontent-length: %d\r\n\r\n" % (response.standing, len(body))
    if not body or (head is not None and head.method == "HEAD"):
        return [begin]
    return [begin + body] if len(body) <= _JOINED else [begin, body]


def unframed(response: Response, method: str) -> tuple[list[tuple[bytes, bytes]], Body]:
    """Return the fields of a response, named in lower case, and what of its body is sent, for who frames it otherwise.

    They are those that a socket gets, but for that of the connection. Raises ``UnsafeFieldError``.
    """
    (begin,) = encode_response(response, _ASKS_FOR_HEAD, keeps_alive=True)
    _status, _connection, *lines, _, _ = bytes(begin).split(b"\r\n")  # no field can end its line
    pairs = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]
    return pairs, b"" if method == "HEAD" or response.status in _WITHOUT_BODY else response.body


@lru_cache(maxsize=256)
def _beginning(status: int, content_type: str | None, keeps_alive: bool) -> bytes:
    """Return what nearly all responses of a server begin with."""
    connection = b"keep-alive" if keeps_alive else b"close"
    begin = b"HTTP/1.1 %d %b\r\nconnection: %b\r\n" % (status, _PHRASES.get(status, b""), connection)
    return begin if content_type is None else begin + _field("content-type", content_type)


def encode_fields(fields: Mapping[str, str]) -> bytes:
    """Return fields as they are written; raises ``UnsafeFieldError``."""
    return b"".join([_field(name, value) for name, value in fields.items()])


def _field(name: str, value: str) -> bytes:
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in _FRAMING:
        raise UnsafeFieldError(f"{name!r}: {value!r} is no field of a response")
    return f"{name}: {value}\r\n".encode("latin-1")
