"""Tensors and arrays as a type, a shape and a buffer, for pickles between workers.

Only the values of a view are sent, never the memory that it looks at. A dense tensor arrives on the CPU, contiguous
and without ``requires_grad``; sparse and quantised tensors, and subclasses, are left to torch's own pickling.
Invariant: torch and numpy are imported here only where a tensor or an array arrives.
"""

import ctypes
import pickle
import sys
from typing import Any, Final

INSIDE: Final = 16 * 1024
"""Bytes of numbers up to here lie inside the pickle: a copy is cheaper than a buffer of their own."""

TENSOR_TYPES: Final = frozenset(
    {
        *("float64", "float32", "float16", "bfloat16"),
        *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"),
        *("complex128", "complex64", "complex32"),
        *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"),
    }
)
"""What torch can make a tensor of from plain bytes; it crashes on others."""
_SCALAR_KINDS: Final = "biufcmM"
_ARRAY_KINDS: Final = _SCALAR_KINDS + "SU"

Buffer = bytes | bytearray | memoryview


# Tensors


def reduced_tensor(tensor: Any) -> Any:
    """Return how a tensor is pickled: ``NotImplemented`` for torch's own way."""
    name = type_of(tensor)
    if name is None:
        return NotImplemented
    dense = _dense(tensor)
    parts = (_buffer_of(dense, dense.data_ptr(), dense.nbytes), name, tuple(dense.shape))
    more = tensor.__dict__
    return (rebuilt_tensor, parts, more, None, None, set_attributes) if more else (rebuilt_tensor, parts)


def type_of(tensor: Any) -> str | None:
    """Return the name of the type of a tensor's numbers; ``None`` for one that is more than type, shape and bytes."""
    name = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout is not sys.modules["torch"].strided or name not in TENSOR_TYPES:
        return None
    return None if tensor.is_nested or tensor.is_meta else name


def small_bytes_of(tensor: Any) -> bytes | None:
    """Return the numbers of a tensor that has a type; ``None`` for a large one."""
    if tensor.nbytes > INSIDE:
        return None
    dense = _dense(tensor)
    return ctypes.string_at(dense.data_ptr(), dense.nbytes)


def _dense(tensor: Any) -> Any:
    """Return the tensor's values in the memory of this machine, one behind the other."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if not tensor.is_cpu:
        tensor = tensor.cpu()
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    if not tensor.is_contiguous():
        tensor = tensor.contiguous()
    if not tensor.data_ptr() and tensor.nbytes:  # torch has tensors of nothing but zeros, which have no memory
        tensor = sys.modules["torch"].zeros(tensor.shape, dtype=tensor.dtype)
    return tensor


def _buffer_of(owner: Any, address: int, size: int) -> bytearray | pickle.PickleBuffer:
    if size <= INSIDE:
        return bytearray(ctypes.string_at(address, size))
    memory = (ctypes.c_char * size).from_address(address)
    memory.owner = owner  # type: ignore[attr-defined]  # lives as long as somebody looks at it
    return pickle.PickleBuffer(memory)


def rebuilt_tensor(data: Buffer, name: str, shape: tuple[int, ...]) -> Any:
    """Return a tensor on the memory of ``data``."""
    import torch

    if name not in TENSOR_TYPES:
        raise ValueError(f'there is no tensor of type "{name}"')
    dtype = getattr(torch, name)
    # torch refuses to look at no bytes at all.
    flat = torch.frombuffer(data, dtype=dtype) if len(data) else torch.empty(0, dtype=dtype, device="cpu")
    return flat if shape == flat.shape else flat.view(shape)


def set_attributes(tensor: Any, attributes: dict[str, Any]) -> None:
    """Give a tensor the attributes that somebody hung on it."""
    vars(tensor).update(attributes)


# Arrays


def reduced_array(array: Any) -> Any:
    """Return how an array is pickled: ``NotImplemented`` for numpy's own way."""
    dtype = array.dtype
    if dtype.hasobject:
        return NotImplemented
    is_turned = array.flags.f_contiguous and not array.flags.c_contiguous
    flat = array.T if is_turned else array
    if not flat.flags.c_contiguous:
        flat = flat.copy(order="C")
    data = _buffer_of(flat, flat.__array_interface__["data"][0], flat.nbytes)
    told = dtype.str if dtype.kind in _ARRAY_KINDS and dtype.metadata is None else dtype
    return rebuilt_array, (data, told, flat.shape, is_turned)


def rebuilt_array(data: Buffer, dtype: Any, shape: tuple[int, ...], is_turned: bool) -> Any:
    """Return an array on the memory of ``data``; a turned one has its first index vary fastest."""
    import numpy as np

    flat = np.frombuffer(data, dtype=dtype) if len(data) else np.empty(0, dtype=dtype)
    whole = flat.reshape(shape)
    return whole.T if is_turned else whole


def reduced_scalar(scalar: Any) -> Any:
    """Return how one number of numpy's is pickled."""
    if scalar.dtype.kind not in _SCALAR_KINDS or type(scalar) is not scalar.dtype.type:
        return NotImplemented
    return rebuilt_scalar, (scalar.tobytes(), scalar.dtype.str)


def rebuilt_scalar(data: bytes, dtype: str) -> Any:
    """Return one number of numpy's."""
    import numpy as np

    return np.frombuffer(data, dtype=dtype)[0]
