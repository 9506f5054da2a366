"""Bytes of a connection become requests (RFC 9112), one after another.

Pure: reads from nothing and waits for nothing. Strict: what two readers could take for different requests is refused,
and so is what no client of ours sends (bare line feeds, folded fields, two lengths). Invariant: memory is bounded by
the limits, time is linear in what came however it was cut up, and after a refusal nothing more is read.
"""

import re
from collections.abc import Mapping

from wfctl.web.wire.chunks import ChunkReader
from wfctl.web.wire.grammar import NAME, VALUE
from wfctl.web.wire.messages import Fields, Head, Limits, RequestError

_LINE = re.compile(rf"({NAME}) ([!-~]++) HTTP/1\.([01])\r\n".encode("ascii"))
_FIELDS = re.compile(rf"(?:{NAME}:{VALUE}\r\n)*+\r\n".encode("ascii"))
_FIELD = re.compile(r"([^:]++):([^\r]*+)\r\n")
_BARE_END = re.compile(rb"(?<!\r)\n|\r(?=[^\n])")
_VERSION = re.compile(rb"[^ ]+ [^ ]+ HTTP/([0-9]\.[0-9])")
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:%\[\]-]*+")
_DIGITS = re.compile(r"[0-9]{1,18}")
_END = b"\r\n\r\n"
_BLANK = " \t"
_REMEMBERED = 4 * 1024
"""Bytes of a head that is kept for the next request: many connections with long heads are not to fill the memory."""
_ONE_PIECE = 64 * 1024
"""Bytes that are copied once more without a thought."""

_ONCE = frozenset({"host", "content-length", "content-type", "transfer-encoding", "authorization", "expect"})
"""Fields of which a second one says something else than the first."""


class RequestReader:
    """One connection: ``feed`` it what comes, and ask for the ``next`` until there is nothing."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        """What was received and not yet handed out; the body itself, while one is on its way."""
        self._last_text = b""
        self._last: Head | None = None
        """The last head and its bytes: most clients send the same one again and again."""
        self._searched = 0
        """Where the end of the head need not be looked for any more."""
        self._head: Head | None = None
        """Of the request whose body comes next."""
        self._chunks: ChunkReader | None = None
        self._refusal: RequestError | None = None

    @property
    def is_between_requests(self) -> bool:
        """Whether nothing of a request has come that is not handed out."""
        return self._head is None and not self._buffer

    @property
    def size(self) -> int:
        """Bytes that are kept of what came."""
        return len(self._buffer) + (0 if self._chunks is None else self._chunks.size)

    def take_whole(self, data: memoryview) -> tuple[Head, bytearray] | None:
        """Return the request that these bytes are, if it begins just like the last one and is all there.

        Only between requests; what is anything else is fed. Most clients send one request after another, each in one
        piece and with the same head, and then nothing has to be looked for.
        """
        last, size = self._last, len(self._last_text)
        if last is not None and last.length is not None and len(data) == size + last.length <= _ONE_PIECE:
            whole = bytes(data)
            if whole.startswith(self._last_text):
                return last.again(), bytearray(whole[size:])
        self._buffer += data
        return None

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes of the connection."""
        self._buffer += data

    def next(self) -> Head | bytearray | None:
        """Return a head, or the body that belongs to the last head, or ``None`` until more has come.

        Every head is followed by its body, which may be empty. Raises ``RequestError``; then, and ever after.
        """
        if self._refusal is not None:
            raise self._refusal
        try:
            return self._next_head() if self._head is None else self._next_body(self._head)
        except RequestError as refusal:
            self._refusal = refusal
            raise

    def forget(self) -> None:
        """Let go of what came; nothing more will be asked."""
        self._buffer = bytearray()
        self._chunks = self._last = self._head = None
        self._last_text = b""

    def end(self) -> None:
        """Learn that nothing more will come; raises ``RequestError`` inside a request."""
        if not self.is_between_requests and self._refusal is None:
            raise RequestError(400, "the connection ended inside a request")

    def _next_head(self) -> Head | None:
        buffer = self._buffer
        if not buffer:
            return None
        end = buffer.find(_END, self._searched) + len(_END)
        if end < len(_END):
            self._expect_head()
            return None
        text = bytes(buffer[:end])
        del buffer[:end]
        self._searched = 0
        if text == self._last_text and self._last is not None:
            self._head = head = self._last.again()
        else:
            self._head = head = _head_in(text, self._limits)
            if len(text) <= _REMEMBERED:
                self._last, self._last_text = head, text
        if head.length is None:
            self._chunks = ChunkReader(self._limits)
        return head

    def _expect_head(self) -> None:
        """See that what came may become a head."""
        buffer, limits = self._buffer, self._limits
        if _BARE_END.search(buffer, self._searched) or buffer[0] <= ord(" "):
            raise _fault(bytes(buffer), limits)
        if len(buffer) >= limits.line + 2 and buffer.find(b"\r\n", 0, limits.line + 2) < 0:
            raise too_long(limits)
        if len(buffer) > limits.head:
            raise too_many(limits)
        self._searched = max(0, len(buffer) - len(_END) + 1)

    def _next_body(self, head: Head) -> bytearray | None:
        chunks = self._chunks
        if chunks is not None:
            body = chunks.take_from(self._buffer)
            if body is None:
                return None
            self._head = self._chunks = None
            return body
        length, buffer = head.length or 0, self._buffer
        if length > self._limits.body:
            raise RequestError(413, f"the body is larger than {self._limits.body} bytes")
        if len(buffer) < length:
            return None
        self._head = None
        if len(buffer) == length:  # the usual case, and nothing is copied
            self._buffer = bytearray()
            return buffer
        body = buffer[:length]
        del buffer[:length]
        return body


def _head_in(text: bytes, limits: Limits) -> Head:
    line = _LINE.match(text)
    if line is None or not _FIELDS.fullmatch(text, line.end()):
        raise _fault(text, limits)
    if line.end() > limits.line + 2:
        raise too_long(limits)
    fields = _FIELD.findall(text[line.end() : -2].decode("latin-1"))
    if len(text) > limits.head or len(fields) > limits.fields:
        raise too_many(limits)
    method, target, version = line.groups()
    return head_of(method.decode("ascii"), target.decode("ascii"), int(version), fields)


def head_of(method: str, target: str, version: int, fields: list[tuple[str, str]]) -> Head:
    """Return the head that such a first line and such fields are, each as it was sent; raises ``RequestError``."""
    headers = {name.lower(): value.strip(_BLANK) for name, value in fields}
    if len(headers) != len(fields):
        headers = _joined(fields)
    head = Head(method, target, version, Fields(headers, fields))
    _frame(head, headers)
    return head


def _frame(head: Head, headers: Mapping[str, str]) -> None:
    """Find out where the request ends, and what its client expects."""
    host = headers.get("host")
    if (host is None and head.version) or (host is not None and not _HOST.fullmatch(host)):
        raise RequestError(400, "a request names its host, once")
    length, encoding = headers.get("content-length"), headers.get("transfer-encoding")
    if encoding is not None:
        _expect_chunks(head, encoding, length)
        head.length = None
    elif length is not None:
        if not _DIGITS.fullmatch(length):
            raise RequestError(400, "Content-Length is no number of bytes")
        head.length = int(length)
    options = {each.strip(_BLANK) for each in headers.get("connection", "").lower().split(",")}
    head.keeps_alive = "close" not in options and (head.version > 0 or "keep-alive" in options)
    expected = headers.get("expect")
    if expected is not None and head.version:
        if expected.lower() != "100-continue":
            raise RequestError(417, "nothing but 100-continue can be expected")
        head.expects_continue = True


def _expect_chunks(head: Head, encoding: str, length: str | None) -> None:
    if length is not None:
        raise RequestError(400, "Content-Length and Transfer-Encoding exclude one another")
    if not head.version:
        raise RequestError(400, "HTTP/1.0 knows no Transfer-Encoding")
    if encoding.lower() != "chunked":
        raise RequestError(501, "Transfer-Encoding can only be chunked")


def _joined(fields: list[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for written, value in fields:
        name = written.lower()
        if name in headers and name in _ONCE:
            raise RequestError(400, f"the field {name} stands twice")
        headers[name] = f"{headers[name]}, {value.strip(_BLANK)}" if name in headers else value.strip(_BLANK)
    return headers


def too_many(limits: Limits) -> RequestError:
    """Return the refusal of a head that is too large."""
    return RequestError(431, f"the fields are more than {limits.fields}, or longer than {limits.head} bytes")


def too_long(limits: Limits) -> RequestError:
    """Return the refusal of a first line that is too long."""
    return RequestError(414, f"the first line is longer than {limits.line} bytes")


def _fault(text: bytes, limits: Limits) -> RequestError:
    """Say what is wrong with a head."""
    if len(text) >= limits.line + 2 and text.find(b"\r\n", 0, limits.line + 2) < 0:
        return too_long(limits)
    if _BARE_END.search(text):
        return RequestError(400, "lines end in a carriage return and a line feed")
    first, _, rest = text.partition(b"\r\n")
    version = _VERSION.fullmatch(first)
    if version is not None and version[1] not in {b"1.0", b"1.1"}:
        return RequestError(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if not _LINE.fullmatch(first + b"\r\n"):
        return RequestError(400, "the first line is no method, target and version")
    number = next((at for at, each in enumerate(rest.split(b"\r\n")) if not _FIELDS.fullmatch(each + _END)), 0)
    return RequestError(400, f"line {number + 2} is no field: a name, a colon, printable text")
