"""What NVIDIA's management library tells of GPUs, asked by ctypes.

Asked only where the kernel's own files do not say enough: starting it can take tens of milliseconds.
Invariant: no CUDA; the library is closed again, and one that is missing, refuses or is of another kind says nothing.
"""

import ctypes
from typing import Any

_NAME = "libnvidia-ml.so.1"
_OK, _LONGEST_UUID = 0, 96


def read_nvml(library: Any = None) -> tuple[str | None, ...]:
    """Return the name of each GPU that can be used as a whole; one nameless where all are divided into parts."""
    try:
        nvml = ctypes.CDLL(_NAME) if library is None else library
        if nvml.nvmlInit_v2() != _OK:
            return ()
        try:
            return _uuids(nvml)
        finally:
            nvml.nvmlShutdown()
    except (OSError, AttributeError):
        return ()


def _uuids(nvml: Any) -> tuple[str | None, ...]:
    count = ctypes.c_uint()
    if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != _OK:
        return ()
    devices = [device for number in range(count.value) if (device := _device(nvml, number)) is not None]
    whole = tuple(_uuid(nvml, device) for device in devices if not _is_parted(nvml, device))
    return whole or ((None,) if devices else ())


def _device(nvml: Any, number: int) -> ctypes.c_void_p | None:
    # The count includes GPUs that this process may not use.
    device = ctypes.c_void_p()
    return device if nvml.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(device)) == _OK else None


def _uuid(nvml: Any, device: ctypes.c_void_p) -> str | None:
    text = ctypes.create_string_buffer(_LONGEST_UUID)
    is_told = nvml.nvmlDeviceGetUUID(device, text, _LONGEST_UUID) == _OK
    return text.value.decode("ascii", "replace") if is_told else None


def _is_parted(nvml: Any, device: ctypes.c_void_p) -> bool:
    current, pending = ctypes.c_uint(), ctypes.c_uint()
    try:
        code = nvml.nvmlDeviceGetMigMode(device, ctypes.byref(current), ctypes.byref(pending))
    except AttributeError:  # older than GPUs with parts
        return False
    return bool(code == _OK and current.value)
