"""Two models in a row, from a JSON list of 512 numbers to a digit, beside a plain loop over the same handlers."""

import json
import random
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bulk import Bulk
from benchmarks.load import json_request
from benchmarks.measure import FULL, Effort, note, row
from benchmarks.plain_loop import PlainLoop, plain_loop
from benchmarks.servers import serving
from benchmarks.side_by_side import Taken, take
from benchmarks.workflows import write_mlp2

INPUT = [round(number, 6) for number in map(random.Random(0).uniform, [-1.0] * 512, [1.0] * 512)]
MANY = 64
RECORDS_A_SECOND = 4_000


def run(effort: Effort = FULL) -> None:
    """Print throughput at 64 connections beside the loop, and the time of an answer at one."""
    request = json_request(INPUT)
    taken: list[Taken] = []
    rates: list[float] = []
    with (
        tempfile.TemporaryDirectory() as name,
        serving(write_mlp2(Path(name))) as server,
        plain_loop(Path(name)) as loop,
    ):
        for number in range(effort.rounds + 1):
            rates.append(loop.rate(effort.seconds))
            taken.append(take(server, request, connections=MANY, seconds=effort.seconds))
            if not number:
                rates, taken = [], []
        one = take(server, request, connections=1, seconds=effort.seconds)
    ratio = statistics.median(each.rate / rate for each, rate in zip(taken, rates, strict=True))
    both = f"{statistics.median(each.rate for each in taken):,.0f} / {statistics.median(rates):,.0f} per s"
    row("two models over HTTP / plain loop", f"{ratio:.2f}x ({both})", "at least 0.9x")
    note("  CPU of all its processes, a request", f"{_median_us(taken):.0f} us")
    print_bound(loop)
    row("two models over HTTP, p50, one connection, delay 5 ms", f"{one.p50_s * 1e3:.2f} ms", "at most 2 ms")


def run_objects(effort: Effort = FULL) -> None:
    """Print the rate of a bulk run with tensors between the models beside the loop's."""
    rates: list[float] = []
    found: list[float] = []
    count = int(RECORDS_A_SECOND * effort.seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = write_mlp2(Path(name), objects=True)
        bulk = Bulk(folder, json.dumps(INPUT), effort)
        with plain_loop(folder) as loop:
            loop.rate(effort.seconds)
            for _ in range(effort.rounds):
                rates.append(loop.rate(effort.seconds))
                found.append(bulk.rate(count))
    ratio = statistics.median(one / other for one, other in zip(found, rates, strict=True))
    both = f"{statistics.median(found):,.0f} / {statistics.median(rates):,.0f} per s"
    row("two models, wfctl run, payload object / plain loop", f"{ratio:.2f}x ({both})", "at least 1.2x")
    print_bound(loop)


def print_bound(loop: PlainLoop) -> None:
    """Print what two workers could reach if nothing but their handlers cost anything."""
    parts = f"the first model takes {loop.first_share:.0%} of the loop"
    note("  two workers can reach", f"{loop.bound:.2f}x", parts)


def _median_us(taken: Sequence[Taken]) -> float:
    return statistics.median(each.cpu_s for each in taken) * 1e6
