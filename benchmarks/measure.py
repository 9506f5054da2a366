"""How figures are taken: whole processes, interleaved, medians; ratios within one run."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
"""Where ``python -m benchmarks`` works from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One finished process."""

    wall_s: float
    peak_mb: float
    returncode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure."""

    rounds: int
    """Of what is compared, in turn; medians are taken over them."""
    seconds: float
    """One server under load, each time."""


FULL = Effort(rounds=5, seconds=2.0)
TRIAL = Effort(rounds=1, seconds=0.1)
"""Enough to see that a benchmark works, and too little for its figures to say anything."""


def script(name: str) -> str:
    """Return the path of a command installed beside this interpreter."""
    return str(Path(sys.executable).parent / name)


def spawn(argv: Sequence[str], *, cwd: Path | None = None) -> Figure:
    """Run a command with its output in a pipe that is read and thrown away; peak is the kernel's, in MB."""
    # With compiled modules, as an installed package has them: the first run of a command is never counted.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert process.stdout is not None
    with process.stdout:
        while process.stdout.read(1 << 16):
            pass
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Figure(
        wall_s=time.perf_counter() - started,
        peak_mb=_peak(usage),
        returncode=process.returncode,
    )


def _peak(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / 1024


def interleaved(commands: dict[str, Sequence[str]], *, rounds: int, cwd: Path | None = None) -> dict[str, float]:
    """Run each command once a round, in turn, and return the median wall seconds of each (first round left out)."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, argv in commands.items():
            times[name].append(spawn(argv, cwd=cwd).wall_s)
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def row(what: str, value: str, promise: str) -> None:
    """Print one figure beside its promise."""
    print(f"{what:<58} {value:>22}   (promised: {promise})")


def note(what: str, value: str, why: str = "") -> None:
    """Print a figure that nothing is promised of, and what it is for."""
    print(f"{what:<58} {value:>22}" + (f"   ({why})" if why else ""))
