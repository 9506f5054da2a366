"""Responses become bytes (RFC 9112).

Pure. Invariant: whatever a response holds, what is written is one response: no field can end its line.
"""

import re
from http import HTTPStatus

from wfctl.web.messages import Body, Head, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_PHRASES = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_WITHOUT_BODY = frozenset({204, 304})
_JOINED = 64 * 1024
"""Bodies up to here are copied behind their head: one buffer is cheaper to write than two."""


class UnsafeFieldError(ValueError):
    """A field that would be read as something else than one field."""


def encode_response(response: Response, head: Head | None, *, keeps_alive: bool) -> list[Body]:
    """Return a response as buffers to write one after another; ``head`` is that of the request, if there was one.

    Raises ``UnsafeFieldError``.
    """
    body, status = response.body, response.status
    lines = [
        b"HTTP/1.1 %d %b" % (status, _PHRASES.get(status, b"")),
        b"connection: keep-alive" if keeps_alive else b"connection: close",
    ]
    if status not in _WITHOUT_BODY:
        lines.append(b"content-length: %d" % len(body))
    if response.content_type is not None:
        lines.append(_field("content-type", response.content_type))
    lines += [_field(name, value) for name, value in response.headers.items()]
    begin = b"\r\n".join(lines) + b"\r\n\r\n"
    if not body or status in _WITHOUT_BODY or (head is not None and head.method == "HEAD"):
        return [begin]
    return [begin + body] if len(body) <= _JOINED else [begin, body]


def _field(name: str, value: str) -> bytes:
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in _FRAMING:
        raise UnsafeFieldError(f"{name!r}: {value!r} is no field of a response")
    return f"{name}: {value}".encode("latin-1")
