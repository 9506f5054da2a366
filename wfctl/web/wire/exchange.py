"""What a connection asks of the application behind it, and one request that is at work there."""

from collections.abc import Callable
from typing import Protocol

from wfctl.web.wire.messages import Head, RequestError, Response

Reply = Callable[[Response], None]


class App(Protocol):
    """What answers requests."""

    def admit(self, head: Head) -> Response | None:
        """Look at a head before its body is taken; returns the refusal, if it is refused."""

    def begin(self, head: Head, body: bytearray, reply: Reply) -> Callable[[], None]:
        """Begin to answer; ``reply`` is called once, on the loop, possibly before this returns.

        Returns what is to be called when nobody waits for the answer any more.
        """

    def refuse(self, error: RequestError) -> Response:
        """Put a refusal into the words of this server."""


class Exchange:
    """A request at work, and its answer once there is one."""

    __slots__ = ("forget", "head", "held", "response")

    def __init__(self, head: Head | None, response: Response | None = None, held: int = 0) -> None:
        self.head = head
        self.held = held
        """Bytes of its body, and of an answer that waits for its turn, as far as the budget goes."""
        self.response = response
        self.forget: Callable[[], None] | None = None
