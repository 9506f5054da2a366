"""Values as bodies and back: what travels between the workers of one workflow under ``payload: object``.

A body is a head, the sizes of its buffers, a pickle, and the buffers, each at a multiple of 64. A value that is bytes
lies behind the head as it is; a small tensor lies there as shape, type and numbers. What arrives is the receiver's own
and may be changed; large tensors and arrays lie in the memory of the body, all others have their own.
Invariant: knows no node and no handler; whatever a body holds, reading it gives the value or ``UnreadableValueError``.
"""

import struct
import sys
from collections.abc import Iterator, Sequence
from ctypes import addressof, c_char
from typing import Any

from wfctl.engine.call import Pieces
from wfctl.hosting.array_pickles import rebuilt_tensor, small_bytes_of, type_of
from wfctl.hosting.failures import last_line_of
from wfctl.hosting.object_pickles import UnreadableValueError, pickled, unpickled
from wfctl.hosting.outputs import UnsupportedOutputError

Body = bytes | bytearray
_HEAD = struct.Struct("<2sBxIQ")
"""magic, kind, number of buffers or dimensions, size of what follows their sizes: the pickle, the bytes or the type"""
_SIZE = struct.Struct("<Q")
_MAGIC = b"wo"
_PICKLE, _BYTES, _BYTEARRAY, _TENSOR = range(4)
_ALIGNED = 64
_NEEDED = 16
"""Bytes that an address must be a multiple of; no number is larger."""
_JOINED = 16 * 1024
"""Bytes up to here are copied behind their head."""
_SHARE = 16
"""A buffer smaller than this part of its body is copied, so that it does not keep the body alive."""


def to_body(value: Any) -> bytes | Pieces:
    """Return the body of a value; raises ``UnsupportedOutputError`` for what cannot be taken apart."""
    if type(value) is bytes or type(value) is bytearray:
        return _with_bytes(value)
    buffers: list[memoryview] = []
    try:
        if type(value) is getattr(sys.modules.get("torch"), "Tensor", None) and (body := _with_numbers(value)):
            return body
        text = pickled(value, buffers)
    except KeyboardInterrupt:
        raise
    except BaseException as reason:  # taking a value apart runs the user's code
        kind = type(value).__name__
        raise UnsupportedOutputError(f"an item of type {kind} cannot be handed on: {last_line_of(reason)}") from reason
    head = _HEAD.pack(_MAGIC, _PICKLE, len(buffers), len(text))
    if not buffers:
        return _joined(head, text)
    begin = b"".join((head, *(_SIZE.pack(len(each)) for each in buffers), text))
    return Pieces([begin, *_spaced(len(begin), buffers)])


def _with_bytes(value: bytes | bytearray) -> bytes | Pieces:
    head = _HEAD.pack(_MAGIC, _BYTES if type(value) is bytes else _BYTEARRAY, 0, len(value))
    return _joined(head, value)


def _with_numbers(tensor: Any) -> bytes | None:
    """Return the body of a small tensor that is nothing else; a third of the time that a pickle takes."""
    name = type_of(tensor)
    if name is None or tensor.__dict__:
        return None
    numbers = small_bytes_of(tensor)
    if numbers is None:
        return None
    shape = tensor.shape
    head = _HEAD.pack(_MAGIC, _TENSOR, len(shape), len(name))
    return b"".join((head, *map(_SIZE.pack, shape), name.encode(), numbers))


def _joined(head: bytes, rest: bytes | bytearray) -> bytes | Pieces:
    return head + rest if len(rest) <= _JOINED else Pieces([head, rest])


def _spaced(at: int, buffers: Sequence[memoryview]) -> Iterator[bytes | memoryview]:
    for each in buffers:
        if gap := -at % _ALIGNED:
            yield bytes(gap)
        yield each
        at += gap + len(each)


def from_body(body: Body, *, is_plain: bool = False) -> Any:
    """Return the value in a body; a bytearray is given away, and the value may lie in it.

    ``is_plain``: nothing but plain values, tensors and arrays is rebuilt, for whoever wrote the body is not trusted.
    """
    try:
        magic, kind, count, size = _HEAD.unpack_from(body)
    except struct.error as reason:
        raise UnreadableValueError("it has no head") from reason
    if magic != _MAGIC or kind not in {_PICKLE, _BYTES, _BYTEARRAY, _TENSOR}:
        raise UnreadableValueError("it begins with no head")
    if kind == _PICKLE:
        return _unpickled(body, count, size, is_plain=is_plain)
    if kind == _TENSOR:
        return _tensor_in(body, count, size)
    if count or len(body) != _HEAD.size + size:
        raise UnreadableValueError("its sizes do not add up")
    if kind == _BYTES:
        return bytes(memoryview(body)[_HEAD.size :])
    own = _owned(body)
    del own[: _HEAD.size]  # moves nothing
    return own


def _tensor_in(body: Body, dimensions: int, size: int) -> Any:
    begin = _HEAD.size + dimensions * _SIZE.size
    at = begin + size
    if at > len(body):
        raise UnreadableValueError("its sizes do not add up")
    shape = tuple(each for (each,) in _SIZE.iter_unpack(body[_HEAD.size : begin]))
    try:
        return rebuilt_tensor(bytearray(memoryview(body)[at:]), body[begin:at].decode("ascii"), shape)
    except KeyboardInterrupt:
        raise
    except BaseException as reason:  # to import torch is to run what may be the user's code
        raise UnreadableValueError(f"rebuilding it raised {last_line_of(reason)}") from reason


def _owned(body: Body) -> bytearray:
    return body if isinstance(body, bytearray) else bytearray(body)


def _unpickled(body: Body, count: int, size: int, *, is_plain: bool) -> Any:
    begin = _HEAD.size + count * _SIZE.size
    at = begin + size
    if at > len(body):
        raise UnreadableValueError("its sizes do not add up")
    if not count:
        if at != len(body):
            raise UnreadableValueError("its sizes do not add up")
        return unpickled(memoryview(body)[begin:], (), is_plain=is_plain)
    own = _owned(body)
    sizes = (each for (each,) in _SIZE.iter_unpack(own[_HEAD.size : begin]))
    return unpickled(memoryview(own)[begin:at], _buffers_of(own, at, sizes), is_plain=is_plain)


def _buffers_of(own: bytearray, at: int, sizes: Iterator[int]) -> list[memoryview | bytearray]:
    """Return the buffers: in place if they are a good part of the whole and lie where numbers may, else copied."""
    view, address, least = memoryview(own), addressof(c_char.from_buffer(own)), len(own) // _SHARE
    found: list[memoryview | bytearray] = []
    for size in sizes:
        at += -at % _ALIGNED
        piece = view[at : at + size]
        at += size
        is_kept = size >= least and not (address + at - size) % _NEEDED
        found.append(piece if is_kept else bytearray(piece))
    if at != len(own):
        raise UnreadableValueError("its sizes do not add up")
    return found
