"""What travels between the engine and a worker: calls out, answers back.

Hot records: plain slotted classes, made once per node and run. Payloads are opaque bytes here.
Invariant: no sockets, no frames, no user code; a worker imports this module, so it imports nothing heavy.
"""

import json
import os
from collections.abc import Mapping, Sequence, Sized
from enum import IntEnum
from itertools import chain
from types import MappingProxyType
from typing import Any

Payload = bytes | bytearray


class Face(IntEnum):
    """A protocol that an entry's input and a leaf's output are put into for a client (``hosting/protocols``)."""

    NONE = 0
    V1 = 1
    """KServe, version 1: ``instances`` and ``predictions``."""
    V2 = 2
    """Open Inference Protocol, version 2: named tensors."""
    V1_OF_MANY = 3
    """The same of a workflow with several leaves: their outputs make one prediction."""
    V2_OF_MANY = 4
    """The same of a workflow with several leaves, whose names begin those of the tensors."""

    def among(self, leaves: Sized) -> "Face":
        """Return what a face is in a workflow with these leaves."""
        if self is Face.NONE or len(leaves) == 1:
            return self
        return Face.V2_OF_MANY if self is Face.V2 else Face.V1_OF_MANY


AS_JSON, STANDS_ALONE, FACE_BIT = 1, 8, 4
"""Bits of what is special about a call (``Call.form``), and where its ``Face`` begins among them."""


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

    __slots__ = ("body", "content_type", "must_be_json", "name")

    def __init__(
        self, name: str, body: Payload, content_type: str | None = None, *, must_be_json: bool = False
    ) -> None:
        self.name = name
        self.body = body
        """A bytearray is given away: the handler gets that very one and may change it."""
        self.content_type = content_type
        """``None`` between nodes (the handler gets a bytearray); a string, possibly empty, at the entry,
        where the worker decodes by it."""
        self.must_be_json = must_be_json
        """Whether a body of JSON's type that is none fails the call; else the handler gets its bytes, as in the
        original."""

    def __repr__(self) -> str:
        return f"Part({self.name!r}, {len(self.body)} bytes, {self.content_type!r})"


Input = Payload | Sequence[Part]
"""Bytes are the whole input of a node with one parent: its only part, ``body``, of no type. The usual case."""


class Headers:
    """Headers of a request, which every node may read: written as text once, and read only if asked for."""

    __slots__ = ("_mapping", "text")

    def __init__(self, mapping: Mapping[str, str] | None, text: bytes | bytearray | None = None) -> None:
        """Take name -> value, or the text that another of this kind made of it."""
        self._mapping = mapping
        self.text = write_headers(mapping or {}) if text is None else text
        """The headers as they travel; nothing at all where there are none."""

    @property
    def mapping(self) -> Mapping[str, str]:
        """Name -> value; raises ``ValueError`` for a text that holds anything else."""
        if self._mapping is None:
            self._mapping = _read_headers(bytes(self.text))
        return self._mapping

    @property
    def request_id(self) -> str | None:
        """What the client, or the front end in its place, calls the request; ``None`` if nobody named it."""
        if not self.text:
            return None
        sent = self.mapping
        found = sent.get(REQUEST_ID)
        return found or next((value for name, value in sent.items() if name.lower() == REQUEST_ID), None)


REQUEST_ID = "x-request-id"
TAG = ":tag"
"""Among the headers of an entry's answer: what the input calls itself, as JSON; no field of HTTP is called so."""
_BETWEEN = "\0"
_BETWEEN_BYTES = b"\0"
_PLAIN = b"="


def write_headers(headers: Mapping[str, str]) -> bytes:
    """Return headers as they travel."""
    if not headers:
        return b""
    # A quarter of the time that JSON takes, and every request has some. Names and values of HTTP hold no zero.
    joined = _BETWEEN.join(chain.from_iterable(headers.items()))
    if joined.count(_BETWEEN) == 2 * len(headers) - 1:
        return _PLAIN + joined.encode("utf-8", "surrogatepass")
    return json.dumps(dict(headers)).encode("ascii")


def with_header(text: bytes, name: str, value: str) -> bytes:
    """Return what ``write_headers`` made of other headers with one more, which is none of theirs."""
    if not text.startswith(_PLAIN):
        return write_headers({**_read_headers(text), name: value})
    return b"%b%b%b%b%b" % (text, _BETWEEN_BYTES, name.encode("ascii"), _BETWEEN_BYTES, value.encode("ascii"))


def _read_headers(text: bytes) -> dict[str, str]:
    if not text.startswith(_PLAIN):
        return dict(json.loads(text)) if text else {}
    words = text[len(_PLAIN) :].decode("utf-8", "surrogatepass").split(_BETWEEN)
    return dict(zip(words[::2], words[1::2], strict=True))


NO_HEADERS = Headers(MappingProxyType({}), b"")


class RequestIds:
    """UUIDs (version 4 in form) made of a random beginning for the engine and a number for the call.

    A random one for each call would be one of the larger costs of the call; this one is not even made before a
    handler asks.
    """

    __slots__ = ("_beginning", "_first")

    def __init__(self, digits: str) -> None:
        """Take 32 random hexadecimal digits."""
        self._beginning = (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[int(digits[16], 16) % 4]}{digits[17:20]}-"
        )
        self._first = int(f"8{digits[21:]}", 16)  # always twelve digits, so that none need be filled in

    def of(self, call_id: int) -> str:
        """Return the id of one call."""
        return f"{self._beginning}{self._first + call_id:x}"


def random_digits() -> str:
    """Return what ``RequestIds`` takes."""
    return os.urandom(16).hex()


class Call:
    """One attempt of one node in one run, on its way to a worker."""

    __slots__ = ("batch_id", "call_id", "form", "headers", "ids", "input", "tag")

    def __init__(  # noqa: PLR0917 - keywords cost time on the hottest path
        self,
        call_id: int,
        input: Input,  # noqa: A002 - the word of the house
        ids: RequestIds,
        batch_id: int = 0,
        headers: Headers = NO_HEADERS,
        form: int = 0,
    ) -> None:
        self.call_id = call_id
        """Unique in one engine, for ever."""
        self.batch_id = batch_id
        """Number of its batch at its worker, counted from 1; calls of one batch are sent one after another."""
        self.input = input
        self.ids = ids
        self.headers = headers
        self.form = form
        """What is special about it, in bits; nearly always nothing."""
        self.tag: str | None = None
        """What the input calls itself, once it was read by its face; it travels back and not out."""

    @property
    def as_json(self) -> bool:
        """Whether a JSON text is to be answered: the node is one of several leaves, and the parent only joins."""
        return self.form & AS_JSON != 0

    @property
    def stands_alone(self) -> bool:
        """Whether the node is asked by itself: a client's input, and an answer to a client, wherever it stands."""
        return self.form & STANDS_ALONE != 0

    @property
    def face(self) -> int:
        """The ``Face`` that an entry reads its input by, and a leaf (``as_json``) writes its output by."""
        return self.form >> FACE_BIT

    @property
    def parts(self) -> Sequence[Part]:
        """The input as parts, whatever form it has."""
        given = self.input
        return (Part("body", given),) if isinstance(given, bytes | bytearray) else given

    @property
    def request_id(self) -> str:
        """What handlers know the call by: the id of its request, the same at every node, or one of its own."""
        return self.headers.request_id or self.ids.of(self.call_id)


class CallAnswer:
    """What a worker says about one call. ``error`` is ``None`` for a success."""

    __slots__ = ("body", "call_id", "content_type", "error", "finished_ns", "headers", "started_ns", "status")

    def __init__(  # noqa: PLR0917 - keywords cost time on the hottest path
        self,
        call_id: int,
        status: int = 200,
        body: Payload | Pieces = b"",
        started_ns: int = 0,
        finished_ns: int = 0,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        error: "CallError | None" = None,
    ) -> None:
        self.call_id = call_id
        self.status = status
        """As in HTTP; ``WITHDRAWN`` for a call that was taken back and never begun."""
        self.body: Any = body
        """Bytes to everybody but those who write them to a worker's socket: there it may be ``Pieces``."""
        self.started_ns = started_ns
        """``time.monotonic_ns()`` of the worker just before the handler was called; one clock per machine."""
        self.finished_ns = finished_ns
        self.content_type = content_type
        """As the handler set it; ``None`` if it did not."""
        self.headers = headers
        self.error = error


WITHDRAWN = 0


class CallError:
    """Why a call failed.

    ``is_final`` marks a handler's own verdict about this input (a 4xx): an answer, never retried. ``is_of_batch``
    marks what was raised for a whole batch: which of its calls is to blame is not known. ``is_of_input`` marks what no
    handler has seen: the input is not what it was said to be.
    """

    __slots__ = ("is_final", "is_of_batch", "is_of_input", "message", "status", "traceback_text")

    def __init__(
        self,
        message: str,
        *,
        status: int = 500,
        traceback_text: str | None = None,
        is_final: bool = False,
        is_of_batch: bool = False,
        is_of_input: bool = False,
    ) -> None:
        self.message = message
        self.status = status
        self.traceback_text = traceback_text
        """Python traceback cut to the user's frames."""
        self.is_final = is_final
        self.is_of_batch = is_of_batch
        self.is_of_input = is_of_input
