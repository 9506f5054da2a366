"""One connection: requests are begun as they come and answered in their order.

Acts for ``http1``: everything here happens on the event loop and waits for nothing. Invariant: a request is begun once
all of it is there; at most ``PIPELINED`` are at work, and beyond that nothing is read; every phase in which a client
may keep us waiting ends by itself; behind a refusal nothing is read that could be taken for a request.
"""

import asyncio
from collections import deque
from math import inf
from typing import cast

from wfctl.web.wire.budget import FREE, Budget, Share
from wfctl.web.wire.crowd import Door, Welcome
from wfctl.web.wire.exchange import App, Exchange
from wfctl.web.wire.http1 import RequestReader
from wfctl.web.wire.messages import Head, Limits, RequestError, Response
from wfctl.web.wire.patience import Patience, Timer
from wfctl.web.wire.replies import CONTINUE
from wfctl.web.wire.supervised import Supervised

PIPELINED = 16
"""Requests of one connection that are at work at a time."""


_NO_ROOM = "the server holds as many bytes of bodies as it may"


class Connection(asyncio.BufferedProtocol):
    """The server's end of one connection."""

    def __init__(
        self,
        app: App,
        place: memoryview,
        *,
        limits: Limits,
        patience: Patience,
        budget: Budget,
        door: Door,
    ) -> None:
        self._app = app
        self._place = place
        """What is received into; all connections may share it, for it is used up in the turn in which it is filled."""
        self._patience = patience
        self._share = Share(budget)
        self._most_body = limits.body
        self._came = 0
        """Bytes of a body since it was last waited for."""
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._supervised = Supervised(app, self._loop)
        self._timer = Timer(self._loop, self._time_is_up)
        self._reader = RequestReader(limits)
        self._transport: asyncio.Transport | None = None
        self._exchanges: deque[Exchange] = deque()
        """From the oldest whose answer is not written to the newest."""
        self._head: Head | None = None
        """Admitted, and its body is on its way."""
        self._is_over = False
        """Whether no further request is taken."""
        self._is_ending = False
        """Whether all is said, and only the way out is waited for."""
        self._is_draining = self._has_ended = self._is_clogged = self._is_paused = False
        self._waits_since = 0.0
        self._unsent = 0
        """Bytes that the client had not taken then."""
        self._rest = memoryview(b"")
        """Of an answer that is being written; nothing else is written before it."""
        self._is_secret = False
        """Whether the transport takes all it is given, and tells little of what it has not sent: that of TLS does."""

    def __repr__(self) -> str:
        return f"Connection({len(self._exchanges)} at work{', over' if self._is_over else ''})"

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request, unless there are too many connections, or the server ends."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(FREE)  # under TLS it would be much more that does not count
        self._is_secret = not self._transport.can_write_eof()
        # Not earlier: of a handshake that fails the protocol is told neither its beginning nor its end.
        welcome = self._door.enter(self)
        self._is_over = welcome is not Welcome.SERVED
        if welcome is Welcome.CUT:
            self._transport.abort()
        elif welcome is Welcome.TOLD:
            self._refuse_with(503, "the server has as many connections as it takes")
        self._emit() if self._is_over else self._wait()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the place for the next bytes."""
        del sizehint
        return self._place

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes of the client; those behind a refusal are thrown away."""
        if self._is_over:
            return
        reader = self._reader
        if not reader.is_between_requests:
            self._came += nbytes
            reader.feed(self._place[:nbytes])
        else:
            self._waits_since = self._loop.time()
            whole = None
            if self._exchanges or self._is_clogged:
                reader.feed(self._place[:nbytes])
            else:
                whole = reader.take_whole(self._place[:nbytes])
            if whole is not None:
                self._take_head(whole[0])
                if self._head is not None:
                    self._begin(self._head, whole[1])
                    return
        self._go_on()

    def eof_received(self) -> bool:
        """Learn that the client sends no more; what it asked for is answered all the same."""
        self._has_ended = True
        self._waits_since = self._loop.time()
        self._go_on()
        # Under TLS there is no half of a connection, and a transport complains of who asks to keep one.
        return not self._is_secret and (bool(self._exchanges) or self._is_clogged)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what is at work for the client."""
        del exc
        self._transport = None
        self._is_over = True
        self._timer.end()
        self._reader.forget()
        self._share.end(self._exchanges)
        for exchange in self._exchanges:
            self._supervised.forget(exchange)
        self._exchanges.clear()
        self._rest = memoryview(b"")
        self._drop_head()
        self._door.leave(self)

    def pause_writing(self) -> None:
        """Begin nothing new for a client that does not take its answers."""
        self._is_clogged = True
        self._wait()

    def resume_writing(self) -> None:
        """Go on with a client that takes its answers again."""
        self._is_clogged = False
        if self._rest and self._transport is not None:
            self._pour(self._transport)
        self._wait()
        self._emit()  # answers that had to wait
        self._go_on()

    # What the server tells

    def drain(self) -> None:
        """Answer what has come, and what is coming, and close."""
        self._is_draining = True
        if self._head is None and self._reader.is_between_requests:
            self._is_over = True
            self._emit()

    def cut(self) -> None:
        """Close at once, whatever is at work."""
        if self._transport is not None:
            self._transport.abort()

    # Requests

    def _go_on(self) -> None:
        reader, exchanges = self._reader, self._exchanges
        try:
            while self._has_room and (found := reader.next()) is not None:
                if self._head is not None and not isinstance(found, Head):
                    self._begin(self._head, found)
                elif isinstance(found, Head):
                    self._take_head(found)
            if self._has_ended and self._has_room:
                self._is_over = True
                reader.end()
        except RequestError as error:
            self._refuse(self._supervised.in_words(error))
        if not self._share.came(reader.size, is_body=self._head is not None):
            self._refuse_with(503, _NO_ROOM)
        # The usual case: one request is at work, and nothing can be done before it is answered. If the timer rings, it
        # looks again what is waited for.
        if not (len(exchanges) == 1 and exchanges[0].response is None and reader.is_between_requests) or self._is_over:
            self._emit()

    @property
    def _has_room(self) -> bool:
        return not (self._is_over or self._is_clogged) and len(self._exchanges) < PIPELINED

    def _take_head(self, head: Head) -> None:
        self._waits_since = self._loop.time()
        self._came = 0
        refusal = self._supervised.admit(head)
        self._head = head
        if refusal is not None:
            self._refuse(refusal)
        elif FREE < (head.length or 0) <= self._most_body and not self._share.has_room(head.length or 0):
            self._refuse_with(503, _NO_ROOM)

    def _begin(self, head: Head, body: bytearray) -> None:
        if not self._share.begin(len(body)):
            self._refuse_with(503, _NO_ROOM)
            return
        self._head = None
        self._waits_since = self._loop.time()
        self._is_over = not head.keeps_alive or self._is_draining
        exchange = Exchange(head, held=len(body))
        self._exchanges.append(exchange)
        try:
            forget = self._app.begin(head, body, lambda response: self._answer(exchange, response))
            if exchange.response is None:
                exchange.forget = forget
        except Exception as error:  # noqa: BLE001 - supervisor: a request has one answer, whatever happens to it
            self._answer(exchange, self._supervised.failure(error))

    def _refuse(self, response: Response) -> None:
        """Answer with a refusal, behind the answers to what came before it, and read nothing more."""
        self._is_over = True
        self._reader.forget()
        self._share.came(0, is_body=False)
        self._exchanges.append(Exchange(self._drop_head(), response))

    def _drop_head(self) -> Head | None:
        """Wait for a body no more; what an application made of the head knows the head: a circle."""
        head, self._head = self._head, None
        if head is not None:
            head.judged = None
        return head

    def _refuse_with(self, status: int, words: str) -> None:
        self._refuse(self._supervised.in_words(RequestError(status, words)))

    # Answers

    def _answer(self, exchange: Exchange, response: Response) -> None:
        if self._transport is None or exchange.response is not None:
            return
        exchange.response = response
        exchanges = self._exchanges
        if exchange is not exchanges[0] or self._is_clogged:
            self._share.answered(exchange, len(response.body))
        if exchange is not exchanges[0]:
            return
        is_usual = not (self._is_over or self._is_paused or self._is_clogged or self._has_ended or self._head)
        if is_usual and len(exchanges) == 1 and not self._transport.is_closing():
            # What was asked is answered, and the next request may come.
            self._write(self._transport, exchange, is_last=False)
            self._share.let_go(exchanges.popleft())
            if self._is_clogged:
                return  # its client is waited for by now, and not for its next request
            self._waits_since = self._loop.time()
            if self._reader.is_between_requests:
                self._timer.set(self._waits_since + self._patience.idle_s)
            else:
                self._loop.call_soon(self._go_on)
        else:
            self._emit()
            if self._is_paused or not self._reader.is_between_requests or self._has_ended:
                self._loop.call_soon(self._go_on)  # now there is room; and not ever deeper in this call

    def _emit(self) -> None:
        """Write the answers whose turn it is, and see what can be waited for then."""
        transport, exchanges = self._transport, self._exchanges
        if transport is None or transport.is_closing():
            return
        was_busy = bool(exchanges)
        while exchanges and exchanges[0].response is not None and not self._is_clogged:
            exchange = exchanges.popleft()
            self._share.let_go(exchange)
            self._write(transport, exchange, is_last=self._is_over and not exchanges)
        if exchanges:
            self._timer.set(self._due)
        elif self._is_over and not self._rest:
            self._end(transport)
            return
        elif was_busy or not self._reader.is_between_requests:
            self._invite(transport)
            if was_busy and self._head is None and self._reader.is_between_requests:
                self._waits_since = self._loop.time()
            self._timer.set(self._due)
        self._pause_or_resume(transport)

    def _write(self, transport: asyncio.Transport, exchange: Exchange, *, is_last: bool) -> None:
        for each in self._supervised.encoded(exchange, is_last=is_last):
            if self._is_secret and len(each) > FREE:
                self._rest = memoryview(each)
                self._pour(transport)
            else:
                transport.write(each)
        if self._is_clogged:
            self._wait()  # for all of it

    def _pour(self, transport: asyncio.Transport) -> None:
        """Write the rest of an answer, as far as the client takes it."""
        while self._rest and not self._is_clogged:
            piece, self._rest = self._rest[:FREE], self._rest[FREE:]
            transport.write(piece)

    def _invite(self, transport: asyncio.Transport) -> None:
        """Let the client send a body that it waits to send; not before the answers that it has to read first."""
        head = self._head
        if head is not None and head.expects_continue and not self._rest:
            head.expects_continue = False
            self._waits_since = self._loop.time()
            transport.write(CONTINUE)

    def _pause_or_resume(self, transport: asyncio.Transport) -> None:
        wants_pause = not self._has_room and not self._is_over
        if wants_pause != self._is_paused:
            self._is_paused = wants_pause
            if wants_pause:
                transport.pause_reading()
            elif not self._has_ended:
                transport.resume_reading()

    def _end(self, transport: asyncio.Transport) -> None:
        """Close, once the client has all there is.

        What it sends meanwhile is read and thrown away: the system answers unread bytes with a reset, and then the
        client may lose what it has not read (RFC 9112, section 9.6).
        """
        if not self._is_ending:
            self._is_ending = True
            if self._has_ended or not transport.can_write_eof():
                transport.close()
            else:
                transport.write_eof()
                if self._is_paused:
                    self._is_paused = False
                    transport.resume_reading()
            self._wait()

    # Patience

    def _left(self, transport: asyncio.Transport) -> int:
        """Return how many bytes of answers the client has not taken."""
        return transport.get_write_buffer_size() + len(self._rest)

    def _wait(self) -> None:
        """Begin to wait for the client."""
        self._waits_since = self._loop.time()
        self._unsent = 0 if self._transport is None else self._left(self._transport)
        self._share.owes(self._unsent if self._is_clogged else 0)
        self._timer.set(self._due)

    @property
    def _due(self) -> float:
        """When the client has kept us waiting for too long."""
        patience = self._patience
        if self._is_clogged or (self._is_ending and (self._unsent or self._is_secret)):
            return self._waits_since + patience.write_s
        if self._is_ending:
            return self._waits_since + patience.linger_s
        if self._exchanges:
            return self._waits_since + patience.gone_s if self._seems_gone else inf
        if self._head is not None:
            return self._waits_since + patience.body_s
        is_idle = self._reader.is_between_requests
        return self._waits_since + (patience.idle_s if is_idle else patience.head_s)

    @property
    def _seems_gone(self) -> bool:
        """Whether the client has closed its side although it promised to go on: most such clients have given up."""
        head = self._exchanges[-1].head
        return self._has_ended and head is not None and head.keeps_alive

    def _time_is_up(self) -> None:
        transport, patience = self._transport, self._patience
        if transport is None:
            return
        if self._loop.time() < self._due:  # another phase has begun meanwhile
            self._timer.set(self._due)
        elif self._is_clogged or self._is_ending:
            left = self._left(transport)
            if self._unsent - left >= min(self._unsent, patience.least_taken) > 0:  # slow, but it takes what there is
                self._wait()
            else:
                transport.abort()
        elif self._exchanges:
            transport.abort()  # nobody waits for what is at work
        elif self._head is not None and self._came >= patience.least_taken:
            self._came = 0
            self._wait()  # slow, but it sends what there is
        elif self._head is not None:
            self._refuse_late(f"the body did not come within {patience.body_s:g} s")
        elif not self._reader.is_between_requests:
            self._refuse_late(f"the head did not come within {patience.head_s:g} s")
        else:
            self._is_over = True
            self._end(transport)

    def _refuse_late(self, words: str) -> None:
        self._refuse_with(408, words)
        self._emit()
