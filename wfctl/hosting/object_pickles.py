"""Pickles in which large tensors and arrays are buffers beside the pickle; one object met twice arrives as one.

Invariant: what a pickle names is looked up here and nowhere else, and a name that leads nowhere is said by name.
"""

import io
import pickle
import sys
from collections.abc import Iterable
from typing import Any, Final

from wfctl.hosting.array_pickles import (
    INSIDE,
    Buffer,
    rebuilt_array,
    rebuilt_scalar,
    rebuilt_tensor,
    reduced_array,
    reduced_scalar,
    reduced_tensor,
)
from wfctl.hosting.failures import last_line_of

_PROTOCOL: Final = 5


class UnreadableValueError(Exception):
    """A value that cannot be rebuilt here, with the reason."""


def pickled(value: Any, buffers: list[memoryview]) -> bytes:
    """Return the pickle of a value, and add the large buffers that belong to it; raises what the user's code raises."""
    file = io.BytesIO()
    _Pickler(file, buffers).dump(value)
    return file.getvalue()


def unpickled(text: memoryview, buffers: Iterable[Buffer], *, is_plain: bool) -> Any:
    """Return the value of a pickle; raises ``UnreadableValueError`` only."""
    kind = _PlainUnpickler if is_plain else _Unpickler
    try:
        return kind(io.BytesIO(text), buffers=buffers).load()
    except (UnreadableValueError, KeyboardInterrupt):
        raise
    except BaseException as reason:  # rebuilding a value runs the user's code
        raise UnreadableValueError(f"rebuilding it raised {last_line_of(reason)}") from reason


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, buffers: list[memoryview]) -> None:
        super().__init__(file, _PROTOCOL, buffer_callback=lambda buffer: _is_inside(buffer, buffers))
        # A value can only be one of these where somebody has imported the library.
        self._tensor = getattr(sys.modules.get("torch"), "Tensor", None)
        numpy = sys.modules.get("numpy")
        self._array = getattr(numpy, "ndarray", None)
        self._scalar = getattr(numpy, "generic", ())

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind is self._tensor:
            return reduced_tensor(value)
        if kind is self._array:
            return reduced_array(value)
        if isinstance(value, self._scalar):
            return reduced_scalar(value)
        return NotImplemented


def _is_inside(buffer: pickle.PickleBuffer, buffers: list[memoryview]) -> bool:
    raw = buffer.raw()
    if len(raw) <= INSIDE:
        return True
    buffers.append(raw)
    return False


# What a pickle may name


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return super().find_class(module_name, global_name)
        except (ImportError, AttributeError) as reason:
            raise UnreadableValueError(
                f'"{global_name}" of module "{module_name}" is not known here ({reason})\n'
                f"help: send plain values, tensors or arrays, or put the module into the archives of both nodes"
            ) from reason


# Whoever calls these with anything gets a value or an exception, and nothing else happens.
_PLAIN: Final = frozenset(
    {
        *((each.__module__, each.__name__) for each in (rebuilt_tensor, rebuilt_array, rebuilt_scalar)),
        *(("builtins", name) for name in ("complex", "range", "slice")),
        *(("collections", name) for name in ("OrderedDict", "deque")),
        *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
        ("decimal", "Decimal"),
        ("torch", "Size"),
    }
)


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) in _PLAIN:
            return super().find_class(module_name, global_name)
        raise UnreadableValueError(
            f'"{global_name}" of module "{module_name}" is not taken from a node whose code is not trusted\n'
            f"help: send plain values, tensors or arrays, or say that the code is trusted"
        )
