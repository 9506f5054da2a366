"""Real workers under attack: workflows of handlers that obey, and clients that check every answer.

A request is an id and some Python code, which the node ``a`` runs; what comes back must bear the id.
"""

import asyncio
import os
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

from fakes.plans import plan_of

from wfctl.engine.call import Part
from wfctl.engine.engine import open_engine
from wfctl.engine.local.backend import LocalBackend
from wfctl.errors import WfctlError
from wfctl.spec.model import WorkerSettings

OBEDIENT = """
import ctypes, gc, os, signal, socket, stat, subprocess, sys, threading, time
def handle(data, context):
    if data is None:
        return None
    answers = [bytes(row["body"]) for row in data]
    for answer in tuple(answers):
        exec(answer.partition(b" ")[2].decode())
    return answers
"""
ECHO = "def handle(data, context):\n    return data and [bytes(row['body']) for row in data]"
LETTER = "def handle(data, context):\n    return data and [b'{name}' + bytes(row['body']) for row in data]"
JOIN = "def handle(data, context):\n    return data and [b'|'.join(bytes(row[name]) for name in sorted(row)) for row in data]"


class Heard:
    """What handlers printed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._changed = asyncio.Event()

    def __call__(self, node, stream, line) -> None:
        self.lines.append(line)
        self._changed.set()

    async def until(self, holds) -> None:
        async with asyncio.timeout(60):
            while not holds(self.lines):
                self._changed.clear()
                await self._changed.wait()


class Settled:
    """How often each run was settled, in a byte a run: there may be very many."""

    def __init__(self) -> None:
        self._counts = bytearray(2**18)

    def note(self, number: int) -> None:
        self._counts[number] += 1

    def total(self) -> int:
        return sum(self._counts)

    def most(self) -> int:
        return max(self._counts)


class Announcing(LocalBackend):
    """A backend that lets tests wait for workers."""

    def __init__(self) -> None:
        super().__init__()
        self.started = asyncio.Event()

    async def start_worker(self, node, worker):
        report = await super().start_worker(node, worker)
        self.started.set()
        return report


async def wait_staffed(engine, count: int, node: str = "a") -> None:
    """Wait until a node has so many ready workers, and none of them is stuck."""
    async with asyncio.timeout(60):
        while not _is_staffed(engine, count, node):
            engine.backend.started.clear()
            await engine.backend.started.wait()
            await asyncio.sleep(0)


def _is_staffed(engine, count: int, name: str) -> bool:
    node = next(each for each in engine.statistics().nodes if each.node == name)
    return len(node.worker_pids) == count and not node.running


def write_flow(folder: Path, edges: str, settings=None, handlers=None, *, isolates=True, node=None, **fields):
    """Write the handlers (``a`` obeys unless told otherwise, the rest answers what it got) and return the plan.

    ``settings`` is of all nodes or by node; ``node`` are more fields of every ``NodePlan``.
    """
    names = set(edges.replace(",", ">").replace(" ", "").split(">"))
    texts = dict.fromkeys(names, ECHO) | {"a": OBEDIENT} | (handlers or {})
    for name in names:
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "handler.py").write_text(dedent(texts[name]), encoding="utf-8")
    default = settings if isinstance(settings, WorkerSettings) else None
    own = settings if isinstance(settings, dict) else None
    folders = {name: folder / name for name in names}
    plan = plan_of(edges, own, default=default, folders=folders, **({"startup_timeout_s": 60.0} | fields))
    nodes = tuple(replace(each, isolates=isolates, **(node or {})) for each in plan.nodes)
    return replace(plan, nodes=nodes)


@asynccontextmanager
async def opened(plan):
    """Open an engine over real processes, which counts how often each run is settled."""
    heard, backend = Heard(), Announcing()
    async with open_engine(plan, backend, on_output=heard) as engine:
        engine.heard, engine.backend, engine.settled = heard, backend, Settled()
        submit = engine.submit

        def counting(parts, headers, on_settled, **more):
            def settle(run):
                engine.settled.note(run.number)
                on_settled(run)

            return submit(parts, headers, settle, **more)

        engine.submit = counting
        yield engine


WAITS = "print('in', flush=True); open('gate').read()"
"""Code that waits at the gate of its node."""


def make_gate(folder: Path, node: str = "a") -> None:
    """Give a node a gate, at which handlers wait until it is opened."""
    os.mkfifo(folder / node / "gate")


def open_gate(folder: Path, node: str = "a") -> None:
    """Let through all who wait and all who come later."""
    gate, old, free = (folder / node / name for name in ("gate", "old", "free"))
    old.hardlink_to(gate)
    free.touch()
    free.rename(gate)
    with suppress(OSError):  # nobody waits
        os.close(os.open(old, os.O_WRONLY | os.O_NONBLOCK))


def new_id() -> str:
    return uuid4().hex


async def ask(engine, code: str = "", *, name: str | None = None, **more):
    """Run the workflow with a request of its own; returns the body, which bears its id, or the error."""
    name = name or new_id()
    try:
        result = await engine.run((Part("body", f"{name} {code}".encode()),), **more)
    except WfctlError as error:
        return error
    assert name.encode() in result.body, "this is another's answer"
    return result.body


def pids_of(engine, name: str = "a") -> tuple[int, ...]:
    """Return the processes of a node's ready workers."""
    return next(node.worker_pids for node in engine.statistics().nodes if node.node == name)


async def wait_gone(*pids: int) -> None:
    """Wait until processes have ended."""
    async with asyncio.timeout(30):
        await asyncio.gather(*map(_wait_gone, pids))


async def _wait_gone(pid: int) -> None:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    gone = loop.create_future()
    loop.add_reader(process, lambda: gone.done() or gone.set_result(None))
    try:
        await gone
    finally:
        loop.remove_reader(process)
        os.close(process)


class Crowd:
    """Closed-loop clients: each asks again once it has its answer; every answer is checked."""

    def __init__(self, engine, codes, is_right, *, after_each=lambda count: None) -> None:
        self.errors: Counter[str] = Counter()
        """By code of the request."""
        self.kinds: Counter[str] = Counter()
        """By code of the error."""
        self.answered = 0
        self._engine = engine
        self._codes = iter(codes)
        self._is_right = is_right
        self._after_each = after_each

    async def run(self, clients: int) -> None:
        """Return when all requests were made and answered; none may have been lost or answered twice."""
        already = self._engine.settled.total()
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(self._client())
        settled = self._engine.settled
        assert settled.total() - already == self.answered + self.errors.total()
        assert settled.most() == 1
        assert self._engine.statistics().runs == 0

    async def _client(self) -> None:
        for code in self._codes:
            name = new_id()
            given = f"{name} {code}".encode()
            try:
                result = await self._engine.run((Part("body", given),))
            except WfctlError as error:
                self.errors[code] += 1
                self.kinds[error.code] += 1
            else:
                assert self._is_right(given, result.body), (given, result.body)
                self.answered += 1
            self._after_each(self.answered + self.errors.total())
