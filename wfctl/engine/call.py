"""What travels between the engine and a worker: calls out, answers back.

Hot records: plain slotted classes, made once per node and run. Payloads are opaque bytes here.
Invariant: no sockets, no frames, no user code; a worker imports this module, so it imports nothing heavy.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class Pieces:
    """A payload that lies in several places in memory, to be written one after another without being joined.

    The memory is that of user code's own values: write or copy it before user code runs again.
    """

    __slots__ = ("_size", "buffers")

    def __init__(self, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        self.buffers = buffers
        """Each a run of plain bytes, so that its length is its size."""
        self._size = sum(map(len, buffers))

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self.buffers)

    def __repr__(self) -> str:
        return f"Pieces({len(self.buffers)} buffers, {self._size} bytes)"


class Part:
    """One parameter of a call: a form field, ``body``, or a parent's output under the parent's name."""

    __slots__ = ("body", "content_type", "name")

    def __init__(self, name: str, body: bytes | bytearray, content_type: str | None = None) -> None:
        self.name = name
        self.body = body
        """A bytearray is given away: the handler gets that very one and may change it."""
        self.content_type = content_type
        """``None`` between nodes (the handler gets a bytearray); a string, possibly empty, at the entry,
        where the worker decodes by it."""

    def __repr__(self) -> str:
        return f"Part({self.name!r}, {len(self.body)} bytes, {self.content_type!r})"


class Call:
    """One attempt of one node in one run, on its way to a worker."""

    __slots__ = ("as_json", "call_id", "headers", "parts", "request_id")

    def __init__(
        self,
        call_id: int,
        parts: Sequence[Part],
        headers: Mapping[str, str],
        request_id: str,
        *,
        as_json: bool = False,
    ) -> None:
        self.call_id = call_id
        """Unique in one engine, for ever."""
        self.parts = parts
        self.headers = headers
        """Headers of the request, which every node may read."""
        self.request_id = request_id
        self.as_json = as_json
        """The worker must answer with a JSON text: this node is one of several leaves and the parent only joins."""


class CallAnswer:
    """What a worker says about one call. ``error`` is ``None`` for a success."""

    __slots__ = ("body", "call_id", "content_type", "error", "finished_ns", "headers", "started_ns", "status")

    def __init__(
        self,
        call_id: int,
        *,
        status: int = 200,
        body: bytes | bytearray | Pieces = b"",
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        error: "CallError | None" = None,
        started_ns: int = 0,
        finished_ns: int = 0,
    ) -> None:
        self.call_id = call_id
        self.status = status
        self.body: Any = body
        """Bytes to everybody but those who write them to a worker's socket: there it may be ``Pieces``."""
        self.content_type = content_type
        """As the handler set it; ``None`` if it did not."""
        self.headers = headers or {}
        self.error = error
        self.started_ns = started_ns
        """``time.monotonic_ns()`` of the worker just before the handler was called; one clock per machine."""
        self.finished_ns = finished_ns


class CallError:
    """Why a call failed.

    ``is_final`` marks a handler's own verdict about this input (a 4xx): an answer, never retried.
    """

    __slots__ = ("is_final", "message", "status", "traceback_text")

    def __init__(
        self, message: str, *, status: int = 500, traceback_text: str | None = None, is_final: bool = False
    ) -> None:
        self.message = message
        self.status = status
        self.traceback_text = traceback_text
        """Python traceback cut to the user's frames."""
        self.is_final = is_final
