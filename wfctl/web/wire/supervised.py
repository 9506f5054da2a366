"""An application whose exceptions are answers.

Invariant: a request has one answer and a client's end is told to all of its work, whatever an application raises.
"""

import asyncio

from wfctl.web.wire.exchange import App, Exchange
from wfctl.web.wire.messages import Body, Head, RequestError, Response
from wfctl.web.wire.replies import encode_response


class Supervised:
    """Asks an application, and tells the loop what it raises."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop

    def admit(self, head: Head) -> Response | None:
        """Return the refusal of a head, if it is refused."""
        try:
            return self._app.admit(head)
        except Exception as error:  # noqa: BLE001 - supervisor: who cannot be judged is not admitted
            return self.failure(error)

    def failure(self, error: Exception) -> Response:
        """Return the answer for what an application raised."""
        if isinstance(error, RequestError):
            return self.in_words(error)
        self._report(error)
        return Response(500)

    def in_words(self, error: RequestError) -> Response:
        """Return the answer for a request that is refused."""
        try:
            return self._app.refuse(error)
        except Exception as reason:  # noqa: BLE001 - supervisor: a refusal is a refusal, also without words
            self._report(reason)
            return Response(error.status)

    def encoded(self, exchange: Exchange, *, is_last: bool) -> list[Body]:
        """Return the answer of an exchange as it is written."""
        try:
            return encode_response(exchange.response or Response(500), exchange.head, keeps_alive=not is_last)
        except Exception as error:  # noqa: BLE001 - supervisor: another answer must not come in its place
            self._report(error)
            return encode_response(Response(500), exchange.head, keeps_alive=not is_last)

    def forget(self, exchange: Exchange) -> None:
        """Tell that nobody waits for an answer any more."""
        forget, exchange.forget = exchange.forget, None  # it knows the run, which knows who waits for it: a circle
        if exchange.response is None and forget is not None:
            try:
                forget()
            except Exception as error:  # noqa: BLE001 - supervisor: the others are to be forgotten all the same
                self._report(error)

    def _report(self, error: Exception) -> None:
        self._loop.call_exception_handler({"message": "an application raised", "exception": error})
