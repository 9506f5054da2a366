"""Answers in pieces: what a handler sends before it returns.

In a workflow the next node gets one answer, so the pieces are kept until the handler has returned and are put before
what it returned. The original uses the first piece alone.
Invariant: a piece is bytes from the moment it is sent; what the handler does with its value afterwards changes nothing.
"""

import os
import struct
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final

from wfctl.handlers.prediction_exception import PredictionException
from wfctl.handlers.requests import HasRequestIds

STREAM_HEADER: Final = "ts_stream_next"
"""The header by which the original tells its server that more follows; no business of a client's."""

_FIRST_ERROR: Final = 400
_END: Final = -1


def send_intermediate_predict_response(
    ret: Any, req_id_map: Mapping[int, str], message: str, code: int, context: Any = None
) -> None:
    """Send one piece of the answer to each request of ``req_id_map``: ``ret[idx]`` is the piece of request ``idx``."""
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return  # one process of several that hold a model together: the first speaks for all
    socket = getattr(context, "cl_socket", None)
    if socket is None:
        raise RuntimeError("pieces of an answer can only be sent while a request is being answered")
    socket.record(ret, req_id_map, message, code)


class IntermediateResponses:
    """What handlers know as ``context.cl_socket``: takes the pieces of the batch at hand."""

    def __init__(self, to_bytes: Callable[[Any], bytes], requests: HasRequestIds) -> None:
        self._to_bytes = to_bytes
        self._requests = requests
        self._pieces: dict[int, list[bytes]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no piece of any answer was sent."""
        return not self._pieces

    def begin(self) -> None:
        """Forget the last batch."""
        if self._pieces:
            self._pieces = {}

    def record(self, ret: Any, req_id_map: Mapping[int, str], message: str, code: int) -> None:
        """Keep a piece for each request; a ``code`` of an error ends the handler's call with it."""
        if code >= _FIRST_ERROR:
            raise PredictionException(message, code)
        places = self._places()
        for at, request in req_id_map.items():
            self._keep(places.get(request, at), self._to_bytes(ret[at]))

    def sendall(self, message: bytes) -> None:
        """Keep the pieces of a message in the original's protocol, as an installed TorchServe writes it."""
        source = BytesIO(message)
        code, words = _number(source), _text(source)
        if code >= _FIRST_ERROR:
            raise PredictionException(words, code)
        places = self._places()
        while (size := _number(source)) != _END:
            request = source.read(size).decode("utf-8")
            _text(source)  # content type, which is set on the context too
            _number(source), _text(source)  # status and its words, likewise
            for _ in range(2 * _number(source)):
                _text(source)
            piece = source.read(_number(source))
            if request in places:
                self._keep(places[request], piece)

    def before(self, at: int) -> bytes:
        """Return what was sent to one request of the batch."""
        return b"".join(self._pieces.get(at, ()))

    def __contains__(self, at: int) -> bool:
        return at in self._pieces

    def _places(self) -> Mapping[str, int]:
        # Made for each piece: few handlers send any, and every batch would pay.
        return {request: at for at, request in (self._requests.request_ids or {}).items()}

    def _keep(self, at: int, piece: bytes) -> None:
        self._pieces.setdefault(at, []).append(piece)


def _number(source: BytesIO) -> int:
    (number,) = struct.unpack("!i", source.read(4))
    return int(number)


def _text(source: BytesIO) -> str:
    return source.read(_number(source)).decode("utf-8")
