"""Where the microseconds of a run go: each stage of the hot path by itself, and each process of a live workflow.

The first table takes the real objects of one hop apart, in one process, so that nothing waits for anything; the
second asks the kernel what every process of a running chain used. What the second has more than the first is system
calls, wake-ups and the event loop.
"""

import asyncio
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import wfctl
from benchmarks.measure import FULL, Effort
from benchmarks.processes import Usage, family_of, name_of, usage_of
from benchmarks.workers import NOOP, write_chain
from wfctl.engine.backend import WorkerId, WorkerListener, WorkerReport
from wfctl.engine.call import Call, CallAnswer, Headers, Part, RequestIds
from wfctl.engine.engine import open_engine
from wfctl.engine.running import AnyRun, RunningEngine
from wfctl.engine.wire.answers import decode_answers, encode_answers
from wfctl.engine.wire.calls import decode_calls, encode_calls
from wfctl.engine.wire.frames import Buffer, Frame, FrameDecoder
from wfctl.hosting.host import Host, load_host
from wfctl.plan import CodeUnit, ExecutionPlan, NodePlan
from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind

PAYLOAD = b"x" * 100
TYPE = "application/octet-stream"
HEADERS = {"host": "127.0.0.1", "content-type": TYPE, "content-length": "100"}
"""Every node may read the headers of the request, and every request over HTTP has some."""
BATCHES = (1, 8, 64)
IN_FLIGHT = 64
CALLS_A_SECOND = 10_000
"""How many calls a stage is tried with, by the seconds there are."""


def run(effort: Effort = FULL) -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = write_chain(Path(name), NOOP)
        print(f"us per call with its headers, median of {effort.rounds}; {len(PAYLOAD)} bytes a call")
        print(f"{'stage':<46}" + "".join(f"{f'{size} a frame':>12}" for size in BATCHES))
        host = _host_of(folder)
        for stage, row in _stages(host, effort).items():
            print(f"{stage:<46}" + "".join(f"{took * 1e6:>12.2f}" for took in row))
        print(f"{'engine, a node: decisions, timers, futures':<46}{_engine_alone(folder, effort) * 1e6:>36.2f}")
        print()
        asyncio.run(_live(folder, effort))


# Stages of one hop


def _stages(host: Host, effort: Effort) -> dict[str, list[float]]:
    table: dict[str, list[float]] = {}
    for size in BATCHES:
        for name, stage in _hop(host, size).items():
            table.setdefault(name, []).append(
                _median(stage, max(1, int(CALLS_A_SECOND * effort.seconds) // size), effort.rounds) / size
            )
    return table


def _hop(host: Host, size: int) -> dict[str, Callable[[], object]]:
    """Return each stage of a hop of ``size`` calls in one frame, in the order of their way."""
    ids, headers = RequestIds("0" * 32), Headers(HEADERS)
    calls = [Call(number, PAYLOAD, ids=ids, batch_id=number, headers=headers) for number in range(size)]
    out = b"".join(encode_calls(calls))
    at_worker = [call for (call,) in decode_calls(_frame(out), ids)]
    answers = _answered(host, at_worker)
    back = b"".join(encode_answers(answers))
    ours, theirs = socket.socketpair()
    decoder, other = FrameDecoder(), FrameDecoder()
    return {
        "parent: encode_calls": lambda: encode_calls(calls),
        "both:   send and receive, system calls alone": lambda: _through(ours, theirs, out),
        "worker: frame and decode_calls": lambda: decode_calls(decoder.feed(out)[0], ids),
        "worker: Host.answer, one call each": lambda: _answered(host, at_worker),
        "worker: Host.answer, all calls at once": lambda: host.answer(at_worker),
        "worker: encode_answers": lambda: encode_answers(answers),
        "parent: frame and decode_answers": lambda: decode_answers(*other.feed(back)),
    }


def _host_of(folder: Path) -> Host:
    """Load the first node as a worker does, and leave this process as it was."""
    sys.path.insert(0, str(folder))
    try:
        return load_host(_node(folder, "a", (), ("b",)))
    finally:
        sys.path.remove(str(folder))
        del sys.modules["handler"]


def _answered(host: Host, calls: Sequence[Call]) -> list[CallAnswer]:
    """Answer as a node of batch size 1 does."""
    return [answer for call in calls for answer in host.answer([call])]


def _frame(content: Buffer) -> Frame:
    (frame,) = FrameDecoder().feed(content)
    return frame


def _through(ours: socket.socket, theirs: socket.socket, content: bytes) -> None:
    ours.send(content)
    theirs.recv(1 << 18)


def _median(stage: Callable[[], object], times: int, rounds: int) -> float:
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(times):
            stage()
        found.append((time.perf_counter() - started) / times)
    return statistics.median(found)


# The engine without workers


class EchoBackend:
    """Answers every call with its own payload, in the next turn of the loop and without a process."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener: WorkerListener | None = None
        self._ready: dict[WorkerId, list[CallAnswer]] = {}

    async def open(self, plan: ExecutionPlan, listener: WorkerListener) -> None:
        """Remember who listens."""
        del plan
        self._listener = listener

    def plan_worker(self, worker: WorkerId, planned: NodePlan) -> None:
        """Nothing is loaded here."""

    async def start_worker(self, node: str, worker: WorkerId) -> WorkerReport:
        """Say that it is ready."""
        return WorkerReport(worker=worker, node=node, pid=os.getpid(), load_s=0.0)

    def send_calls(self, worker: WorkerId, calls: Sequence[Call]) -> None:
        """Answer soon, all that was sent to one worker together."""
        if worker not in self._ready:
            self._ready[worker] = []
            self._loop.call_soon(self._tell, worker)
        self._ready[worker] += [CallAnswer(call.call_id, body=PAYLOAD) for call in calls]

    def withdraw_calls(self, worker: WorkerId, call_ids: Sequence[int]) -> None:
        """Nothing waits here for long."""

    def running_batch(self, worker: WorkerId) -> int | None:
        """Nothing runs."""

    def ask_metrics(self, worker: WorkerId) -> bool:  # noqa: ARG002 - nobody is asked
        """Nothing is measured."""
        return False

    def retire_worker(self, worker: WorkerId) -> None:
        """Nothing is there to be ended."""

    def kill_worker(self, worker: WorkerId) -> None:
        """Nothing is there to be ended."""

    async def close(self) -> None:
        """Nothing is there to be closed."""

    def _tell(self, worker: WorkerId) -> None:
        if self._listener is not None:
            self._listener.worker_answered(worker, self._ready.pop(worker))


def _engine_alone(folder: Path, effort: Effort) -> float:
    """Return the seconds of processor that the engine takes for one node of one run."""
    names = "abcd"
    parents = [names[max(at - 1, 0) : at] for at in range(len(names))]
    nodes = tuple(
        _node(folder, name, tuple(before), tuple(names[at + 1 : at + 2]))
        for at, (name, before) in enumerate(zip(names, parents, strict=True))
    )
    return asyncio.run(_measure_engine(ExecutionPlan(workflow_name="chain", nodes=nodes), effort)) / len(names)


async def _measure_engine(plan: ExecutionPlan, effort: Effort) -> float:
    found = []
    async with open_engine(plan, EchoBackend(), on_output=print) as engine:
        for _ in range(effort.rounds):
            started = time.process_time()
            done = await closed_loop(engine, seconds=effort.seconds / 5)
            found.append((time.process_time() - started) / done)
    return statistics.median(found)


async def closed_loop(engine: RunningEngine, *, seconds: float, in_flight: int = IN_FLIGHT) -> int:
    """Keep so many runs in flight, each begun when another settles; return how many were done."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    until = loop.time() + seconds
    parts, done, open_runs = (Part("body", PAYLOAD, TYPE),), 0, in_flight

    def settled(run: AnyRun) -> None:
        nonlocal done, open_runs
        done += 1
        if engine.result(run).body != PAYLOAD:
            ended.set_exception(AssertionError("a run gave another answer than its input"))
        if loop.time() < until:
            engine.submit(parts, HEADERS, settled)
            return
        open_runs -= 1
        if not open_runs:
            ended.set_result(None)

    for _ in range(in_flight):
        engine.submit(parts, HEADERS, settled)
    await ended
    return done


def _node(folder: Path, name: str, parents: tuple[str, ...], children: tuple[str, ...]) -> NodePlan:
    return NodePlan(
        name=name,
        kind=NodeKind.FUNCTION,
        model_name=f"chain__{name}",
        settings=WorkerSettings(),
        parents=parents,
        children=children,
        code=CodeUnit(model_dir=str(folder), handler="handler.py", manifest=None),
    )


# A live chain


async def _live(folder: Path, effort: Effort) -> None:
    async with wfctl.open_deployment(folder) as flow:
        for in_flight in (IN_FLIGHT, 1):
            await closed_loop(flow.engine, seconds=effort.seconds / 2, in_flight=in_flight)
            family = family_of(os.getpid())
            before = {pid: usage_of(pid) for pid in family}
            started = time.perf_counter()
            done = await closed_loop(flow.engine, seconds=2 * effort.seconds, in_flight=in_flight)
            took = time.perf_counter() - started
            print(f"{in_flight} in flight: {done / took:,.0f} runs/s; us per run on the processor, sleeps per run")
            print_usage({pid: usage_of(pid) - before[pid] for pid in family}, done)
            print()


def print_usage(used: dict[int, Usage], done: int) -> None:
    """Print what each process used for one request."""
    for pid, usage in used.items():
        if usage.total_s:
            print(f"  {_label(pid):<24}{_per_request(usage, done)}")
    whole = sum(used.values(), start=Usage(user_s=0.0, system_s=0.0, sleeps=0))
    print(f"  {'all':<24}{_per_request(whole, done)}")


def _label(pid: int) -> str:
    return "parent" if pid == os.getpid() else name_of(pid)


def _per_request(usage: Usage, done: int) -> str:
    user, system = usage.user_s / done * 1e6, usage.system_s / done * 1e6
    return f"{user:>8.1f} user {system:>8.1f} system {usage.sleeps / done:>8.2f} sleeps"
