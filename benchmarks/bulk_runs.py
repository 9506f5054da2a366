"""What a bulk run costs: its rate beside a plain loop over the same engine, and whether its memory grows."""

import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from itertools import islice
from pathlib import Path

import wfctl
from benchmarks.measure import row, script
from benchmarks.workers import NOOP, write_chain
from wfctl.engine.call import Part
from wfctl.engine.engine import Engine

RECORDS = 100_000
AT_WORK = 256
ROUNDS = 3
SETTLED = 0.2
"""The beginning of a run, in which windows and buffers fill, is left out of the slope."""


def write_records(path: Path) -> list[bytes]:
    """Write small records and return them."""
    lines = [b'{"number": %d, "text": "some words of a record"}' % number for number in range(RECORDS)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return lines


async def plain_loop(engine: Engine, lines: list[bytes]) -> float:
    """Send all lines with a fixed number at work, look at every answer, keep none; return the seconds."""
    loop = asyncio.get_running_loop()
    ended, rest, left, room = loop.create_future(), iter(lines), len(lines), AT_WORK
    is_due = False

    def settled(run: object) -> None:
        nonlocal left, room, is_due
        engine.result(run)  # type: ignore[arg-type]
        left, room = left - 1, room + 1
        if not left:
            ended.set_result(None)
        elif not is_due:
            is_due = True
            loop.call_soon(fill)

    def fill() -> None:
        nonlocal room, is_due
        is_due = False
        for line in islice(rest, room):
            room -= 1
            engine.submit((Part("body", line, "application/json"),), {}, settled)

    started = time.perf_counter()
    fill()
    await ended
    return time.perf_counter() - started


async def plain_rate(folder: Path, lines: list[bytes]) -> float:
    """Return how many records a second the engine takes from a plain loop."""
    async with wfctl.open_deployment(folder) as flow:
        return len(lines) / await plain_loop(flow.engine, lines)


def bulk_run(folder: Path) -> tuple[float, list[tuple[float, float]]]:
    """Run the command; return records a second, start included, and seconds and megabytes of its process."""
    words = ["run", "-w", str(folder), "records.jsonl", "-o", "out.jsonl", "--overwrite", "--progress", "none"]
    started = time.perf_counter()
    sizes = []
    with subprocess.Popen([script("wfctl"), *words], cwd=folder) as process:
        while process.poll() is None:
            pages = Path(f"/proc/{process.pid}/statm").read_text().split()
            if len(pages) > 1:
                megabytes = int(pages[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
                sizes.append((time.perf_counter() - started, megabytes))
            time.sleep(0.1)
    return RECORDS / (time.perf_counter() - started), sizes


def slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of a fit, in megabytes a minute."""
    points = [point for point in points if point[0] >= SETTLED * points[-1][0]]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def run() -> None:
    """Print rate and slope."""
    with tempfile.TemporaryDirectory() as name:
        folder = write_chain(Path(name), NOOP)
        lines = write_records(folder / "records.jsonl")
        plain, rates, slopes = [], [], []
        for _ in range(ROUNDS):
            plain.append(asyncio.run(plain_rate(folder, lines)))
            rate, sizes = bulk_run(folder)
            rates.append(rate)
            slopes.append(slope(sizes))
    rate = statistics.median(rates)
    row(f"bulk run of {RECORDS:,} records through four processes", f"{rate:,.0f}/s", "none")
    row("the same, as a share of a plain loop over the engine", f"{rate / statistics.median(plain):.2f}", "none")
    row("memory slope of the run", f"{statistics.median(slopes):.2f} MB a minute", "under 1 MB a minute")
