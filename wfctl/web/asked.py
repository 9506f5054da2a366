"""One request on its way through the server.

Hot record: a plain slotted class. Invariant: values only; what is done with a request is known by its endpoint.
"""

from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wfctl.web.wire.messages import Head, Response

if TYPE_CHECKING:
    from wfctl.web.routes import Endpoint
    from wfctl.web.wire.targets import Target

Reply = Callable[[Response], None]
Forget = Callable[[], None]
_NONE: Mapping[str, str] = MappingProxyType({})


class Asked:
    """A request whose target is known."""

    __slots__ = (
        "_finish",
        "_send",
        "begun",
        "body",
        "endpoint",
        "head",
        "names",
        "refusal",
        "request_id",
        "target",
        "workflow",
    )

    def __init__(self, head: Head, request_id: str, begun: float) -> None:
        self.head = head
        self.target: Target | None = None
        """``None`` for one that cannot be read."""
        self.endpoint: Endpoint | None = None
        """``None`` for one that is refused."""
        self.names: Mapping[str, str] = _NONE
        """What the path names."""
        self.request_id = request_id
        self.begun = begun
        """When the head had come, on the loop's clock."""
        self.body = bytearray()
        self.refusal: Response | None = None
        """The answer, if it was decided before the body came."""
        self.workflow = ""
        """Name of the workflow that it runs, for who counts."""

    def send_by(self, finish: "Callable[[Asked, Response], Response]", send: Reply) -> None:
        """Say where the answer goes, and what is made of it before."""
        self._finish = finish
        self._send = send

    def reply(self, response: Response) -> None:
        """Answer; once."""
        self._send(self._finish(self, response))

    @property
    def query(self) -> Mapping[str, str]:
        """Parameters of the query, name -> value."""
        return _NONE if self.target is None else self.target.query


Now = Callable[[Asked], Response]
Later = Callable[[Asked], Coroutine[Any, Any, Response]]
Runs = Callable[[Asked], Forget]
