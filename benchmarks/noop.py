"""Workflows that do nothing, over HTTP, beside a bare relay through as many processes behind a bare listener."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.fit import fitted
from benchmarks.load import request_of
from benchmarks.measure import FULL, Effort, note, row
from benchmarks.servers import Server, relaying, serving
from benchmarks.side_by_side import Rounds, cpu, generator_us, in_turn, median, p50, rate, ratio
from benchmarks.workflows import write_fan_out, write_functions, write_noop4

SMALL = request_of(b"x" * 100)
MEGABYTE = request_of(b"x" * 10**6)
MANY = 64
NODES = (2, 4, 8, 16)
_POINT = 0.25
"""How far from the line a point of the growth may lie."""


def run(effort: Effort = FULL) -> None:
    """Print the chain of four at 64 connections and at one."""
    with beside_relay(write_noop4, "1,1,1,1") as servers:
        print_many("noop chain of 4", in_turn(servers, SMALL, connections=MANY, effort=effort), "at least 0.7x")
        print_one("noop chain of 4", in_turn(servers, SMALL, connections=1, effort=effort), "at most 1.25x")


def run_fan_out(effort: Effort = FULL) -> None:
    """Print an entry, three nodes side by side and a join."""
    with beside_relay(write_fan_out, "1,3,1") as servers:
        print_many("fan-out of 3", in_turn(servers, SMALL, connections=MANY, effort=effort), "none")
        print_one("fan-out of 3", in_turn(servers, SMALL, connections=1, effort=effort), "none")


def run_megabyte(effort: Effort = FULL) -> None:
    """Print the chain of four with a megabyte in every request."""
    with beside_relay(write_noop4, "1,1,1,1") as servers:
        print_one("1 MB through a chain of 4", in_turn(servers, MEGABYTE, connections=1, effort=effort), "none")
        print_many("1 MB through a chain of 4", in_turn(servers, MEGABYTE, connections=8, effort=effort), "none")


def run_growth(effort: Effort = FULL) -> None:
    """Print what one more node costs."""
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for nodes in NODES:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            servers[f"{nodes}"] = stack.enter_context(serving(write_functions(folder, nodes)))
            servers[f"relay {nodes}"] = stack.enter_context(relaying(",".join("1" * nodes)))
        # Eight servers in each round: shorter ones, and fewer.
        less = replace(effort, rounds=min(3, effort.rounds), seconds=effort.seconds / 2)
        rounds = in_turn(servers, SMALL, connections=MANY, effort=less)
    costs = [median(rounds, f"{nodes}", cpu) * 1e6 for nodes in NODES]
    base, slope = fitted(NODES, costs)
    off = max(abs(cost / (base + slope * nodes) - 1) for nodes, cost in zip(NODES, costs, strict=True))
    _, limit = fitted(NODES, [median(rounds, f"relay {nodes}", cpu) * 1e6 for nodes in NODES])
    points = ", ".join(f"{cost:.0f}" for cost in costs)
    row(f"CPU a request with {', '.join(map(str, NODES))} nodes", f"{points} us", "a line")
    row("CPU a request and added noop node", f"{slope:.1f} us", f"the relay's: {limit:.1f} us")
    row("the point farthest from the line", f"{off:.0%}", f"at most {_POINT:.0%}")


@contextmanager
def beside_relay(write: Callable[[Path], Path], widths: str) -> Iterator[dict[str, Server]]:
    """Serve a workflow, and a relay whose stages are so wide."""
    with (
        tempfile.TemporaryDirectory() as folder,
        relaying(widths) as relay,
        serving(write(Path(folder))) as engine,
    ):
        yield {"relay": relay, "engine": engine}


def print_many(what: str, rounds: Rounds, promise: str) -> None:
    """Print the throughput of the engine beside the relay's, and what both use of the processor."""
    rates = f"{median(rounds, 'engine', rate):,.0f} / {median(rounds, 'relay', rate):,.0f} per s"
    row(f"{what}, req/s, engine / relay", f"{ratio(rounds, 'engine', 'relay', rate):.2f}x ({rates})", promise)
    costs = f"{median(rounds, 'engine', cpu) * 1e6:.1f} / {median(rounds, 'relay', cpu) * 1e6:.1f} us"
    note("  CPU of all its processes, a request", f"{ratio(rounds, 'engine', 'relay', cpu):.2f}x ({costs})")
    note("  CPU of the load generator, a request", f"{generator_us(rounds):.1f} us")


def print_one(what: str, rounds: Rounds, promise: str) -> None:
    """Print the time of an answer beside the relay's."""
    times = f"{median(rounds, 'engine', p50) * 1e6:.0f} / {median(rounds, 'relay', p50) * 1e6:.0f} us"
    row(f"{what}, p50, one connection", f"{ratio(rounds, 'engine', 'relay', p50):.2f}x ({times})", promise)
