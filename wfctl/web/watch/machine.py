"""How busy this machine is, read from the kernel's own files at the moment of asking.

Invariant: what the kernel does not tell is ``None`` and never a guess; nothing is kept but the last reading of the
processors, for their use is a difference between two.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_ALL = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Something that fills up; all in bytes."""

    used: int
    available: int

    @property
    def percent(self) -> float:
        """How much of it is used, of what a user may fill: 0 to 100."""
        whole = self.used + self.available
        return _ALL * self.used / whole if whole else 0.0


class Processors:
    """All processors together."""

    def __init__(self, proc: Path = _PROC) -> None:
        self._stat = proc / "stat"
        self._last = (0, 0)
        """Ticks since the machine started, and how many of them were idle."""
        self._percent: float | None = None
        self.percent()

    def percent(self) -> float | None:
        """Return how busy they were since the last time this was asked: 0 to 100."""
        found = self._ticks()
        if found is None:
            return None
        ticks, idle = found[0] - self._last[0], found[1] - self._last[1]
        if ticks > 0:  # asked twice within one tick: the answer is the same
            self._last = found
            self._percent = min(_ALL, max(0.0, _ALL * (ticks - idle) / ticks))
        return self._percent

    def _ticks(self) -> tuple[int, int] | None:
        try:
            with self._stat.open(encoding="ascii") as lines:
                # The eight after the name: user, nice, system, idle, iowait, irq, softirq, steal. What follows is
                # the time of guests, and is among the user's already.
                times = [int(each) for each in next(lines).split()[1:9]]
            return sum(times), times[3] + times[4]
        except (OSError, ValueError, IndexError, StopIteration):
            return None


def read_memory(proc: Path = _PROC) -> Room | None:
    """Return how much of the machine's memory is used, and how much a program could still get without swapping."""
    try:
        lines = (proc / "meminfo").read_text(encoding="ascii").splitlines()
        sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        return Room(used=sizes["MemTotal"] - sizes["MemAvailable"], available=sizes["MemAvailable"])
    except (OSError, ValueError, IndexError, KeyError):
        return None


def read_disk(path: str = "/") -> Room | None:
    """Return how much of the disk at ``path`` is used, and how much a user other than root can still fill."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return None
    used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    return Room(used=used, available=disk.f_bavail * disk.f_frsize)
