"""Figures of the machine, each by a function of the name that scripts of the original call.

Invariant: reads the kernel's own files; nothing needs to be installed for it. ``system_metrics`` grows with each call,
as its callers expect.
"""

import logging
import os
from pathlib import Path
from types import ModuleType
from typing import Final

from wfctl.handlers.metrics.dimension import Dimension
from wfctl.handlers.metrics.metric import Metric

_log = logging.getLogger(__name__)

system_metrics: list[Metric] = []
"""What was collected; the one list that callers of the original read and empty."""
dimension: Final = [Dimension("Level", "Host")]

_MEGABYTE, _GIGABYTE = 2**20, 2**30
_BUSY_FIELDS = slice(0, 3)  # user, nice, system


def cpu_utilization() -> None:
    """Collect the share of processor time that was used since the machine started."""
    fields = [int(each) for each in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
    _collect("CPUUtilization", round(100 * sum(fields[_BUSY_FIELDS]) / max(1, sum(fields)), 1), "percent")


def memory_used() -> None:
    """Collect the memory in use."""
    total, available = _memory()
    _collect("MemoryUsed", (total - available) / _MEGABYTE, "MB")


def memory_available() -> None:
    """Collect the memory that programs could get."""
    _collect("MemoryAvailable", _memory()[1] / _MEGABYTE, "MB")


def memory_utilization() -> None:
    """Collect the share of memory in use."""
    total, available = _memory()
    _collect("MemoryUtilization", round(100 * (total - available) / total, 1), "percent")


def disk_used() -> None:
    """Collect what the disk of the root folder holds."""
    _collect("DiskUsage", _disk()[0] / _GIGABYTE, "GB")


def disk_utilization() -> None:
    """Collect the share of the disk in use."""
    used, free = _disk()
    _collect("DiskUtilization", round(100 * used / (used + free), 1), "percent")


def disk_available() -> None:
    """Collect what the disk still takes."""
    _collect("DiskAvailable", _disk()[1] / _GIGABYTE, "GB")


def gpu_utilization(num_of_gpu: int | None) -> None:
    """Say that the figures of GPUs need the tools of their vendor, where there are any."""
    if num_of_gpu:
        _log.error("figures of GPUs are not collected here; see nvidia-smi")


def collect_all(mod: ModuleType, num_of_gpu: int | None) -> None:
    """Call every function of a module that collects something, and log what there is."""
    for name, function in sorted(vars(mod).items()):
        if callable(function) and getattr(function, "__module__", None) == mod.__name__ and _collects(name):
            function(num_of_gpu) if name == "gpu_utilization" else function()
    for each in system_metrics:
        _log.info("%s", each)


def _collects(name: str) -> bool:
    return not name.startswith("_") and name not in {"collect_all", "log_msg"}


def _collect(name: str, value: float, unit: str) -> None:
    system_metrics.append(Metric(name, value, unit, dimension))


def _disk() -> tuple[int, int]:
    """Return the bytes of the root folder's disk that are in use, and those that programs could get."""
    disk = os.statvfs("/")
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize, disk.f_bavail * disk.f_frsize


def _memory() -> tuple[int, int]:
    """Return the bytes of memory there are, and those that programs could get."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    sizes = {key: int(rest.split()[0]) * 1024 for key, _, rest in (line.partition(":") for line in lines)}
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return sizes.get("MemTotal", total), sizes.get("MemAvailable", 0)
