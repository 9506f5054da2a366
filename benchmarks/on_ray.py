"""The same workflows on the engine of one machine and on Ray, both on this machine: what it costs to be able to grow.

A Ray of many machines has networks between its replicas too, so these are the least that it costs.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.bulk import MANY, RECORD, RECORDS_A_SECOND, Bulk
from benchmarks.load import request_of
from benchmarks.measure import FULL, Effort, row
from benchmarks.processes import family_of, private_mb
from benchmarks.servers import Server, serving
from benchmarks.side_by_side import in_turn, median, p50, rate, ratio, take
from benchmarks.workflows import NOTHING, write_noop4

SMALL = request_of(b"x" * 100)
RAY = ("--engine", "ray")
REPLICAS = (1, 2, 4)
WAITING = """
import time

def wait(data, context):
    if data:
        time.sleep(0.02)
    return data and [row["body"] for row in data]
"""
"""A node that takes 20 ms and no processor: as one whose model computes on a GPU."""


def run(effort: Effort = FULL) -> None:
    """Print what a node, a model and a bulk run cost on both engines."""
    with tempfile.TemporaryDirectory() as name, _both(write_noop4(Path(name))) as servers:
        _print("noop chain of 4", servers, SMALL, effort)
        for engine, server in servers.items():
            held = sum(map(private_mb, family_of(server.pid)))
            row(f"  private memory of all processes, {engine}", f"{held:,.0f} MB", "none")
    with tempfile.TemporaryDirectory() as name, _both(_single(Path(name), NOTHING.format(name="wait"))) as servers:
        _print("one node", servers, SMALL, effort)
    _print_bulk(effort)


def run_growth(effort: Effort = FULL) -> None:
    """Print what replicas add, where a node waits for something other than the cores of this machine."""
    less = replace(effort, rounds=min(3, effort.rounds))
    for words, engine in (((), "local"), (RAY, "ray")):
        base = 0.0
        for replicas in REPLICAS:
            with (
                tempfile.TemporaryDirectory() as name,
                serving(_single(Path(name), WAITING, replicas), *words) as server,
            ):
                taken = [take(server, SMALL, connections=MANY, seconds=less.seconds) for _ in range(less.rounds + 1)]
            rates = sorted(each.rate for each in taken[1:])
            found = rates[len(rates) // 2]
            base = base or found
            row(f"{replicas} replicas that take 20 ms, {engine}", f"{found:,.0f} per s, {found / base:.2f}x", "none")


def _single(folder: Path, handler: str, replicas: int = 1) -> Path:
    """Write a workflow of one function."""
    settings = f"{{wait: {{min-workers: {replicas}, max-workers: {replicas}}}}}"
    (folder / "workflow.yaml").write_text(f"dag: {{wait: []}}\nwfctl: {{functions: {settings}}}\n")
    (folder / "handler.py").write_text(handler)
    return folder


@contextmanager
def _both(folder: Path) -> Iterator[dict[str, Server]]:
    with ExitStack() as stack:
        yield {"local": stack.enter_context(serving(folder)), "ray": stack.enter_context(serving(folder, *RAY))}


def _print(what: str, servers: dict[str, Server], request: bytes, effort: Effort) -> None:
    one = in_turn(servers, request, connections=1, effort=effort)
    many = in_turn(servers, request, connections=MANY, effort=effort)
    took = f"{median(one, 'ray', p50) * 1e3:.2f} / {median(one, 'local', p50) * 1e3:.2f} ms"
    row(f"{what}, p50 of one client, ray / local", f"{ratio(one, 'ray', 'local', p50):.0f}x ({took})", "none")
    rates = f"{median(many, 'ray', rate):,.0f} / {median(many, 'local', rate):,.0f} per s"
    row(f"{what}, req/s of {MANY}, ray / local", f"{ratio(many, 'ray', 'local', rate):.3f}x ({rates})", "none")


def _print_bulk(effort: Effort) -> None:
    count = int(RECORDS_A_SECOND * effort.seconds / 2)
    with tempfile.TemporaryDirectory() as name:
        folder = write_noop4(Path(name))
        local, ray = Bulk(folder, RECORD, effort), Bulk(folder, RECORD, effort, *RAY)
        rates = [bulk.rate(count) for bulk in (ray, local)]
        starts = [bulk.start_s for bulk in (ray, local)]
    text = f"{rates[0] / rates[1]:.2f}x ({rates[0]:,.0f} / {rates[1]:,.0f} per s)"
    row(f"{count:,} records, ray / local", text, "none")
    row("  a run of ten records, ray / local", f"{starts[0]:.1f} / {starts[1]:.1f} s", "none")
