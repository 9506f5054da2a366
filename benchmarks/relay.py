"""The engine beside its limit: a bare relay through as many processes, which knows nothing but lengths.

The relay is what an event loop and four processes cannot do without: one frame out, one frame back, four times.
"""

import asyncio
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from asyncio import Future
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import wfctl
from benchmarks.measure import row
from benchmarks.workers import NOOP, write_chain

PROCESSES = 4
PAYLOAD = b"x" * 100
ROUNDS = 15
RUNS = 150
IN_FLIGHT = 64

ECHO = """
import socket, struct, sys
stream, rest = socket.socket(fileno=int(sys.argv[1])), b""
while received := stream.recv(1 << 18):
    rest += received
    answers, at = [], 0
    while len(rest) - at >= 4:
        end = at + 4 + struct.unpack_from("<I", rest, at)[0]
        if end > len(rest):
            break
        answers.append(rest[at:end])
        at = end
    rest = rest[at:]
    stream.sendall(b"".join(answers))
"""


class Hop:
    """One process that sends back what it gets, and our end of its stream."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pass_on: Callable[[list[bytes]], None]) -> None:
        self._stream, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            argv = [sys.executable, "-S", "-c", ECHO, str(theirs.fileno())]
            self._process = subprocess.Popen(argv, pass_fds=[theirs.fileno()])
        self._loop = loop
        self._pass_on = pass_on
        self._rest = b""
        self._stream.setblocking(False)  # noqa: FBT003 - the standard library's signature
        loop.add_reader(self._stream, self._read)

    def write(self, frames: list[bytes]) -> None:
        """Send frames; there are never so many that the socket is full."""
        self._stream.send(b"".join(frames))

    def close(self) -> None:
        """End the process."""
        self._loop.remove_reader(self._stream)
        self._stream.close()
        self._process.wait()

    def _read(self) -> None:
        rest = self._rest + self._stream.recv(1 << 18)
        frames, at = [], 0
        while len(rest) - at >= 4:
            end = at + 4 + struct.unpack_from("<I", rest, at)[0]
            if end > len(rest):
                break
            frames.append(rest[at:end])
            at = end
        self._rest = rest[at:]
        if frames:
            self._pass_on(frames)


class Relay:
    """A chain of processes; what becomes ready in one turn of the loop leaves in one write."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[bytes, Future[bytes]] = {}
        self._last = 0
        self._fresh: list[bytes] = []
        pass_on = self._arrived
        self._hops: list[Hop] = []
        for _ in range(PROCESSES):
            hop = Hop(loop, pass_on)
            self._hops.append(hop)
            pass_on = hop.write

    async def run(self, payload: bytes) -> bytes:
        """Send a payload through all processes."""
        self._last += 1
        key = struct.pack("<Q", self._last)
        future = self._waiting[key] = self._loop.create_future()
        if not self._fresh:
            self._loop.call_soon(self._flush)
        self._fresh.append(struct.pack("<I", len(payload) + 8) + key + payload)
        answer: bytes = await future
        return answer

    def close(self) -> None:
        """End all processes."""
        for hop in self._hops:
            hop.close()

    def _flush(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._hops[-1].write(fresh)

    def _arrived(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._waiting.pop(frame[4:12]).set_result(frame[12:])


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


def measure(folder: Path) -> dict[str, float]:
    """Return the median seconds of each way through the processes, taken in turn."""
    with asyncio.Runner() as runner, wfctl.open_deployment(folder) as threaded:
        flow, relay = wfctl.open_deployment(folder), Relay(runner.get_loop())
        runner.run(flow.__aenter__())
        ways: dict[str, Callable[[], list[float]]] = {
            "relay": lambda: runner.run(one_by_one(relay.run)),
            "apredict": lambda: runner.run(one_by_one(flow.apredict)),
            "predict": lambda: from_thread(threaded.predict),
            "relay, many": lambda: runner.run(many_at_once(relay.run)),
            "apredict, many": lambda: runner.run(many_at_once(flow.apredict)),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                found = way()
                times[name] += found if number else []
        relay.close()
        runner.run(flow.__aexit__(None, None, None))
    return {name: statistics.median(found) for name, found in times.items()}


def run() -> None:
    """Print the round trip of one client and the throughput of many, each beside the relay's."""
    with tempfile.TemporaryDirectory() as folder:
        took = measure(write_chain(Path(folder), NOOP))
    relay, many = took["relay"], took["relay, many"]
    row("a bare relay through four processes, p50", f"{relay * 1e6:.0f} us", "the limit")
    for name, what in (("apredict", "await apredict"), ("predict", "predict, from another thread")):
        text = f"{took[name] * 1e6:.0f} us, {took[name] / relay:.2f}x"
        row(f"{what}, four functions, p50", text, "at most 1.25x over HTTP")
    row(f"the relay with {IN_FLIGHT} in flight", f"{1 / many:,.0f} runs/s", "the limit")
    rate = f"{1 / took['apredict, many']:,.0f} runs/s, {many / took['apredict, many']:.2f}x"
    row(f"await apredict with {IN_FLIGHT} in flight", rate, "at least 0.7x over HTTP")
