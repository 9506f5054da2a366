"""What the kernel knows of a process: time on the processor, times it went to sleep, memory of its own."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process has used so far, or between two moments."""

    user_s: float
    system_s: float
    sleeps: int
    """Times it had nothing to do and gave the processor away."""

    @property
    def total_s(self) -> float:
        """Seconds on the processor."""
        return self.user_s + self.system_s

    def __add__(self, other: Self) -> "Usage":
        return Usage(
            user_s=self.user_s + other.user_s,
            system_s=self.system_s + other.system_s,
            sleeps=self.sleeps + other.sleeps,
        )

    def __sub__(self, other: Self) -> "Usage":
        return Usage(
            user_s=self.user_s - other.user_s,
            system_s=self.system_s - other.system_s,
            sleeps=self.sleeps - other.sleeps,
        )


def usage_of(pid: int) -> Usage:
    """Return what a process has used so far, all its threads together."""
    # The name, second and in brackets, may hold spaces and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    sleeps = int(status.partition("voluntary_ctxt_switches:")[2].split()[0])
    return Usage(user_s=int(fields[11]) / _TICKS, system_s=int(fields[12]) / _TICKS, sleeps=sleeps)


def family_of(pid: int) -> list[int]:
    """Return a process and everything that descends from it, itself first."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    family = [pid]
    for each in family:  # grows while it is walked
        family += children.get(each, [])
    return family


def name_of(pid: int) -> str:
    """Return the name that a process goes by."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def private_mb(pid: int) -> float:
    """Return the memory that only this process has, in MB."""
    return _rollup_mb(pid, "Private_")


def mapped_mb(pid: int, suffix: str) -> float:
    """Return what a process has mapped of files with this suffix, divided by those who share it, in MB."""
    found, is_counted = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):  # the head of a mapping, which ends with its file
            is_counted = words[-1].endswith(suffix)
        elif is_counted and words[0] == "Pss:":
            found += int(words[1])
    return found / 1024


def resident_mb(pid: int) -> float:
    """Return the memory of a process that is in use at present, shared or not, in MB."""
    return _rollup_mb(pid, "Rss:")


def _rollup_mb(pid: int, what: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024
