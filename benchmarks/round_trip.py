"""The engine beside its limit, called from Python: what HTTP costs is in neither."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import wfctl
from benchmarks.measure import FULL, Effort, row
from benchmarks.relay import Relay
from benchmarks.workers import NOOP, write_chain

WIDTHS = (1, 1, 1, 1)
PAYLOAD = b"x" * 100
RUNS = 150
IN_FLIGHT = 64


async def one_by_one(call: Callable[[bytes], Awaitable[Any]]) -> list[float]:
    """Return the seconds of each run of one closed-loop client."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        await call(PAYLOAD)
        times.append(time.perf_counter() - started)
    return times


async def many_at_once(call: Callable[[bytes], Awaitable[Any]]) -> list[float]:
    """Return the seconds per run of many closed-loop clients, as one figure."""

    async def client() -> None:
        for _ in range(RUNS // 10):
            await call(PAYLOAD)

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
    return [(time.perf_counter() - started) / (IN_FLIGHT * (RUNS // 10))]


def from_thread(call: Callable[[bytes], Any]) -> list[float]:
    """Return the seconds of each run of a client in another thread than the loop's."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        call(PAYLOAD)
        times.append(time.perf_counter() - started)
    return times


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """Return the median seconds of each way through the processes, taken in turn."""
    with asyncio.Runner() as runner, wfctl.open_deployment(folder) as threaded:
        flow, relay = wfctl.open_deployment(folder), Relay(runner.get_loop(), WIDTHS)
        runner.run(flow.__aenter__())
        ways: dict[str, Callable[[], list[float]]] = {
            "relay": lambda: runner.run(one_by_one(relay.run)),
            "apredict": lambda: runner.run(one_by_one(flow.apredict)),
            "predict": lambda: from_thread(threaded.predict),
            "relay, many": lambda: runner.run(many_at_once(relay.run)),
            "apredict, many": lambda: runner.run(many_at_once(flow.apredict)),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, way in ways.items():
                found = way()
                times[name] += found if number else []
        relay.close()
        runner.run(flow.__aexit__(None, None, None))
    return {name: statistics.median(found) for name, found in times.items()}


def run(effort: Effort = FULL) -> None:
    """Print the round trip of one client and the throughput of many, each beside the relay's."""
    with tempfile.TemporaryDirectory() as folder:
        took = measure(write_chain(Path(folder), NOOP), 3 * effort.rounds)
    relay, many = took["relay"], took["relay, many"]
    row("a bare relay through four processes, p50", f"{relay * 1e6:.0f} us", "the limit")
    for name, what in (("apredict", "await apredict"), ("predict", "predict, from another thread")):
        text = f"{took[name] * 1e6:.0f} us, {took[name] / relay:.2f}x"
        row(f"{what}, four functions, p50", text, "at most 1.25x over HTTP")
    row(f"the relay with {IN_FLIGHT} in flight", f"{1 / many:,.0f} runs/s", "the limit")
    rate = f"{1 / took['apredict, many']:,.0f} runs/s, {many / took['apredict, many']:.2f}x"
    row(f"await apredict with {IN_FLIGHT} in flight", rate, "at least 0.7x over HTTP")
