"""A bulk run: a file with a record on each line in, a file of answers out, as a whole process.

A rate leaves out what a run of a few records takes, that is the start.
"""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.fit import fitted
from benchmarks.load import request_of
from benchmarks.measure import FULL, ROOT, Effort, row, script
from benchmarks.processes import family_of, resident_mb
from benchmarks.servers import serving
from benchmarks.side_by_side import Taken, take
from benchmarks.workflows import write_noop4

RECORDS_A_SECOND = 50_000
RECORD = '"' + "x" * 98 + '"'
MANY = 64
_FEW = 10
_LONGER = 40
"""A run in which memory is looked at takes so many times the records: filling its buffers must not be what is seen."""
_SAMPLE_S = 0.1
_SETTLED, _ENDING = 0.6, 0.9
"""Parts of a run between which its memory should not grow: everything is loaded, and nothing ends yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRun:
    """One whole process."""

    seconds: float
    memory: Sequence[tuple[float, float]]
    """Seconds since the start, and MB of all its processes together."""

    @property
    def slope_mb_a_minute(self) -> float:
        """How memory grows once it has settled."""
        rest = [each for each in self.memory if _SETTLED < each[0] / self.seconds < _ENDING]
        if len(rest) < 3:
            return float("nan")
        _, slope = fitted([at for at, _ in rest], [mb for _, mb in rest])
        return slope * 60


class Bulk:
    """Bulk runs of the workflow in a folder."""

    def __init__(self, folder: Path, record: str, effort: Effort, *words: str) -> None:
        self._words = words
        self._folder = folder
        self._effort = effort
        self._record = record

    @cached_property
    def start_s(self) -> float:
        """Seconds of a run of a few records."""
        return min(self.run(_FEW).seconds for _ in range(min(3, self._effort.rounds)))

    def rate(self, count: int) -> float:
        """Return the records a second of a run of so many, its start left out."""
        return count / (self.run(count).seconds - self.start_s)

    def run(self, count: int, *, watches_memory: bool = False) -> BulkRun:
        """Run so many records; every answer must be there.

        Only where memory is asked for is it looked at: that takes a tenth of a processor from large processes.
        """
        records, answers = self._written(count), self._new_answers()
        argv = [script("wfctl"), "run", str(records), "-w", str(self._folder), "-o", str(answers), *self._words]
        memory: list[tuple[float, float]] = []
        started = time.perf_counter()
        with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            while watches_memory and not _has_ended(process):
                memory.append((time.perf_counter() - started, _family_mb(process.pid)))
            _, said = process.communicate()
            seconds = time.perf_counter() - started
        if process.returncode or _lines(answers) != count:
            raise SystemExit(f"the bulk run failed: {said.decode()[-2000:]}")
        return BulkRun(seconds=seconds, memory=memory)

    def _new_answers(self) -> Path:
        """Return where a run is to write: a place of its own, for a run may go on with an earlier one's answers."""
        return Path(tempfile.mkdtemp(dir=self._folder), "answers.jsonl")

    def _written(self, count: int) -> Path:
        path = self._folder / f"records-{count}.jsonl"
        if not path.exists():
            path.write_text(f"{self._record} \n" * count)
        return path


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(_SAMPLE_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _family_mb(pid: int) -> float:
    found = 0.0
    for each in family_of(pid):
        try:
            found += resident_mb(each)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    return found


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def run(effort: Effort = FULL) -> None:
    """Print throughput beside HTTP's, and how memory grows."""
    count = int(RECORDS_A_SECOND * effort.seconds)
    request = request_of(RECORD.encode(), "application/json")
    taken: list[Taken] = []
    with tempfile.TemporaryDirectory() as name:
        folder = write_noop4(Path(name))
        bulk = Bulk(folder, RECORD, effort)
        with serving(folder) as server:
            take(server, request, connections=MANY, seconds=effort.seconds / 2)
            taken += [take(server, request, connections=MANY, seconds=effort.seconds) for _ in range(2)]
            done = bulk.run(count)
            taken += [take(server, request, connections=MANY, seconds=effort.seconds) for _ in range(2)]
        rate = count / (done.seconds - bulk.start_s)
        long = bulk.run(_LONGER * count, watches_memory=True)
    over_http = statistics.median(each.rate for each in taken)
    text = f"{rate / over_http:.2f}x ({rate:,.0f} / {over_http:,.0f} per s)"
    row(f"{count:,} records, wfctl run / HTTP", text, "at least 1.2x")
    grows = f"{long.slope_mb_a_minute:+.2f} MB a minute"
    row(f"  growth of memory over {_LONGER * count:,}, all processes", grows, "under 1 MB a minute")
