"""One address's application as ASGI 3 has it: what its servers hand over is judged, begun and answered.

Journey: scope -> head -> admitted -> its body -> begun -> the answer, or the client has left.
Invariant: a request gets the answer that a socket of ours would give it, but for what frames it; none is begun that is
not whole, and work that nobody waits for is forgotten once. Connections, and how long and how many of them there may
be, are the ASGI server's.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from wfctl.web.wire.exchange import App, Exchange
from wfctl.web.wire.grammar import NAME, VALUE
from wfctl.web.wire.http1 import head_of, too_long, too_many
from wfctl.web.wire.messages import Head, Limits, RequestError, Response
from wfctl.web.wire.replies import unframed
from wfctl.web.wire.supervised import Supervised

Scope = Mapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_NAME, _VALUE, _TARGET = re.compile(NAME), re.compile(VALUE), re.compile(r"[!-~]++")
_IN_PATHS = "/:@!$&'()*+,;="
"""What stands in a path as it is, beside what always does (RFC 3986, section 3.3)."""
_BEHIND_NAME, _BEHIND_LINE = len(": "), len("\r\n")
_BEHIND_TARGET = len(" HTTP/1.1")


class AsgiApp:
    """What any ASGI server can serve."""

    def __init__(self, app: App, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; there is nothing to start or to end, and no web socket."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "lifespan":
                await _live(receive, send)
            case "websocket":
                await _close(receive, send)
            case unknown:
                raise NotImplementedError(f'nothing is known of what ASGI calls "{unknown}"')

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        supervised = Supervised(self._app, asyncio.get_running_loop())
        try:
            response = await self._answer_to(scope, receive, supervised)
        except RequestError as error:
            response = supervised.in_words(error)
        if response is not None:
            with suppress(OSError):  # so a server says that the client has left, who is to be told nothing then
                for each in _messages(response, scope["method"], supervised):
                    await send(each)

    async def _answer_to(self, scope: Scope, receive: Receive, supervised: Supervised) -> Response | None:
        """Return the answer, ``None`` if the client has left; raises ``RequestError``."""
        head = _head_in(scope, self._limits)
        try:
            refusal = supervised.admit(head)
            if refusal is not None:
                return refusal
            body = await _body_of(head, receive, self._limits.body)
            return None if body is None else await self._answer_of_run(head, body, receive, supervised)
        finally:
            head.judged = None  # it knows the head: a circle

    async def _answer_of_run(
        self, head: Head, body: bytearray, receive: Receive, supervised: Supervised
    ) -> Response | None:
        exchange, answered = Exchange(head), asyncio.get_running_loop().create_future()

        def reply(response: Response) -> None:
            if exchange.response is None:
                exchange.response = response
                answered.set_result(None)

        try:
            exchange.forget = self._app.begin(head, body, reply)
        except Exception as error:  # noqa: BLE001 - supervisor: a request has one answer, whatever happens to it
            reply(supervised.failure(error))
        try:
            if exchange.response is None:
                await _first(answered, receive)
            return exchange.response
        finally:
            supervised.forget(exchange)


# What comes


def _head_in(scope: Scope, limits: Limits) -> Head:
    """Return the head of a request; raises ``RequestError`` for one that our own server would not take."""
    method, version, path = scope["method"], scope["http_version"], _path_in(scope)
    query = scope.get("query_string", b"").decode("latin-1")
    behind = f"?{query}" if query else ""
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    _judge(method, path + behind, fields, limits)
    target = _below(scope.get("root_path", ""), path) + behind
    head = head_of(method, target, 0 if version == "1.0" else 1, fields)
    if not version.startswith("1.") and "content-length" not in head.headers:
        head.length = None  # without chunks and without a length there may be a body all the same
    return head


def _path_in(scope: Scope) -> str:
    """Return the path as it was sent; where the server does not tell, what would have been decoded to what it tells."""
    raw = scope.get("raw_path")
    if raw:
        return str(raw, "latin-1")
    return quote(scope["path"], safe=_IN_PATHS, errors="surrogatepass") or "/"


def _judge(method: str, target: str, fields: list[tuple[str, str]], limits: Limits) -> None:
    """Refuse what a server let through that reads less strictly than ours; raises ``RequestError``."""
    line = len(method) + len(" ") + len(target) + _BEHIND_TARGET
    if line > limits.line:
        raise too_long(limits)
    if not _NAME.fullmatch(method) or not _TARGET.fullmatch(target):
        raise RequestError(400, "the first line is no method, target and version")
    for number, (name, value) in enumerate(fields, 2):
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise RequestError(400, f"line {number} is no field: a name, a colon, printable text")
    size = sum(len(name) + _BEHIND_NAME + len(value) + _BEHIND_LINE for name, value in fields)
    if line + size + 2 * _BEHIND_LINE > limits.head or len(fields) > limits.fields:
        raise too_many(limits)


def _below(root: str, path: str) -> str:
    """Return what of a path lies below a root, which is decoded; all of it where it does not begin with that.

    Segment by segment, as routes are found: an escaped slash is part of a name.
    """
    names = root.rstrip("/").split("/")
    pieces = path.split("/", len(names))
    if [unquote(piece) for piece in pieces[: len(names)]] != names:
        return path
    return "/" + "".join(pieces[len(names) :])


async def _body_of(head: Head, receive: Receive, most: int) -> bytearray | None:
    """Wait for a whole body, ``None`` if the client leaves before; raises ``RequestError``."""
    body = bytearray()
    has_more = (head.length or 0) <= most
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        has_more = message.get("more_body", False) and len(body) <= most
    if max(head.length or 0, len(body)) > most:
        raise RequestError(413, f"the body is larger than {most} bytes")
    return body


async def _first(answered: "asyncio.Future[None]", receive: Receive) -> None:
    """Wait for the answer, or for the client's end; raises what ``receive`` raises."""
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((answered, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            leaving.result()
    finally:
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


# What is said


def _messages(response: Response, method: str, supervised: Supervised) -> tuple[Message, Message]:
    """Return an answer as it is sent; the server's own failure for one that cannot be."""
    try:
        fields, body = unframed(response, method)
    except Exception as error:  # noqa: BLE001 - supervisor: another answer must not come in its place
        response = supervised.failure(error)
        fields, body = unframed(response, method)
    start = {"type": "http.response.start", "status": response.status, "headers": fields}
    return start, {"type": "http.response.body", "body": bytes(body)}


async def _live(receive: Receive, send: Send) -> None:
    """Agree to the server's beginning and to its end: who made the application starts and ends what is behind it."""
    told = ""
    while told != "lifespan.shutdown":
        told = (await receive())["type"]
        await send({"type": f"{told}.complete"})


async def _close(receive: Receive, send: Send) -> None:
    """Turn a web socket away."""
    if (await receive())["type"] == "websocket.connect":
        await send({"type": "websocket.close"})
