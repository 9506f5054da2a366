"""Real workers for the tests: plans of small handlers on disk, and a listener that remembers."""

import asyncio
import os
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wfctl.engine.call import Call, CallAnswer, Part, RequestIds
from wfctl.plan import CodeUnit, ExecutionPlan, NodePlan
from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind

if TYPE_CHECKING:
    from wfctl.engine.measured import Measured

ECHO = """
def echo(data, context):
    if data is None:
        return None
    return [row["body"] for row in data]
"""


class Remembering:
    """A listener that keeps what it is told and lets tests wait for it."""

    def __init__(self) -> None:
        self.answers: dict[int, CallAnswer] = {}
        self.lost: list[tuple[int, str]] = []
        self.lines: list[tuple[str, str, str]] = []
        self.measured: list[tuple[int, str, int, Measured]] = []
        self._changed = asyncio.Event()

    def worker_answered(self, worker, answers) -> None:
        self.answers.update({answer.call_id: answer for answer in answers})
        self._changed.set()

    def worker_lost(self, worker, reason, running=None) -> None:
        self.lost.append((worker, reason))
        self._changed.set()

    def worker_measured(self, worker, node, pid, measured) -> None:
        self.measured.append((worker, node, pid, measured))
        self._changed.set()

    def worker_printed(self, node, stream, line) -> None:
        self.lines.append((node, stream, line))
        self._changed.set()

    async def until(self, holds, timeout_s: float = 30.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def answer(self, call_id: int) -> CallAnswer:
        await self.until(lambda: call_id in self.answers)
        return self.answers[call_id]

    async def loss(self) -> tuple[int, str]:
        await self.until(lambda: self.lost)
        return self.lost[-1]

    def printed(self, stream: str = "stdout") -> list[str]:
        return [line for _, kind, line in self.lines if kind == stream]


def write_node(folder: Path, source: str, name: str = "echo", kind: NodeKind = NodeKind.FUNCTION) -> NodePlan:
    place = folder / name
    place.mkdir(parents=True)
    (place / "handler.py").write_text(source)
    return read_node(folder, name, kind)


def read_node(folder: Path, name: str = "echo", kind: NodeKind = NodeKind.FUNCTION) -> NodePlan:
    return NodePlan(
        name=name,
        kind=kind,
        model_name=f"flow__{name}",
        settings=WorkerSettings(),
        parents=(),
        children=(),
        code=CodeUnit(model_dir=str(folder / name), handler="handler.py", manifest=None),
    )


def plan_of(*nodes: NodePlan, startup_timeout_s: float = 60.0) -> ExecutionPlan:
    return ExecutionPlan(workflow_name="flow", nodes=nodes, startup_timeout_s=startup_timeout_s)


def call(call_id: int, body: bytes = b"x") -> Call:
    return Call(call_id, [Part("body", body)], ids=RequestIds("0" * 32))


def process_is_there(pid: int) -> bool:
    """Say whether a process still runs; one that ended and waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def wait_gone(pids, within_s: float = 2.0) -> list[int]:
    """Wait for processes to end and return those that have not."""
    deadline = time.monotonic() + within_s
    pids = list(pids)
    for pid in pids:
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        select.select([process], [], [], max(0.0, deadline - time.monotonic()))
        os.close(process)
    return [pid for pid in pids if process_is_there(pid)]
