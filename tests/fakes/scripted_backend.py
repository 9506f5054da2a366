"""A backend without processes: workers do what a script says, and can fail in every way that real ones can."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wfctl.engine.backend import WorkerId, WorkerListener, WorkerReport
from wfctl.engine.call import Call, CallAnswer, CallError
from wfctl.plan import ExecutionPlan


@dataclass(frozen=True)
class Lost:
    """In place of answers: the worker dies."""

    reason: str = "killed by signal 9"


Reply = Sequence[CallAnswer] | Lost | None
"""``None`` is silence."""


def echo(calls: Sequence[Call]) -> list[CallAnswer]:
    """Answer each call with its inputs: ``name=body``, joined by ``+``."""
    return [
        CallAnswer(call.call_id, body=b"+".join(b"%b=%b" % (part.name.encode(), part.body) for part in call.parts))
        for call in calls
    ]


def failing(message: str = "no", **details) -> Callable[[Sequence[Call]], list[CallAnswer]]:
    """Return a script that fails every call."""
    return lambda calls: [CallAnswer(call.call_id, status=500, error=CallError(message, **details)) for call in calls]


@dataclass
class NodeScript:
    """How the workers of one node behave."""

    reply: Callable[[Sequence[Call]], Reply] = echo
    ran_s: float = 0.0
    """Time from a batch to its answers."""
    loads: list[BaseException | None] = field(default_factory=list)
    """Outcome of the first, second, ... start; good ones after the last."""
    load_s: float = 0.0


@dataclass
class Sent:
    """A batch that was handed to a worker."""

    node: str
    worker: WorkerId
    calls: list[Call]
    at: float


class ScriptedBackend:
    """Keeps a log of all that was asked of it."""

    def __init__(self, scripts: Mapping[str, NodeScript] | None = None) -> None:
        self.scripts = dict(scripts or {})
        self.sent: list[Sent] = []
        self.started: list[tuple[str, float]] = []
        self.killed: list[WorkerId] = []
        self.workers: dict[WorkerId, str] = {}
        self.closed = 0
        self.listener: WorkerListener | None = None

    async def open(self, plan: ExecutionPlan, listener: WorkerListener) -> None:
        self.plan, self.listener = plan, listener
        self.loop = asyncio.get_running_loop()
        for node in plan.nodes:
            self.scripts.setdefault(node.name, NodeScript())

    async def start_worker(self, node: str, worker: WorkerId) -> WorkerReport:
        script = self.scripts[node]
        self.started.append((node, self.loop.time()))
        async with asyncio.timeout(self.plan.startup_timeout_of(node)):
            await asyncio.sleep(script.load_s)
        outcome = script.loads.pop(0) if script.loads else None
        if outcome is not None:
            raise outcome
        self.workers[worker] = node
        return WorkerReport(worker=worker, node=node, pid=10_000 + worker, load_s=script.load_s)

    def send_batch(self, worker: WorkerId, calls: Sequence[Call]) -> None:
        if worker not in self.workers:
            return
        node = self.workers[worker]
        # Copies: the engine takes the payloads out of its calls once they are answered.
        copies = [Call(c.call_id, c.parts, c.headers, c.request_id, as_json=c.as_json) for c in calls]
        self.sent.append(Sent(node, worker, copies, self.loop.time()))
        script = self.scripts[node]
        # A batch is answered as soon as the loop turns, never from within the sending.
        if script.ran_s:
            self.loop.call_later(script.ran_s, self._reply, worker, script, calls)
        else:
            self.loop.call_soon(self._reply, worker, script, calls)

    def _reply(self, worker: WorkerId, script: NodeScript, calls: Sequence[Call]) -> None:
        if worker not in self.workers:
            return
        reply = script.reply(calls)
        if isinstance(reply, Lost):
            self.lose(worker, reply.reason)
        elif reply is not None:
            self.listener.worker_answered(worker, reply)

    def lose(self, worker: WorkerId, reason: str = "killed by signal 9") -> None:
        """Let a worker die now."""
        if self.workers.pop(worker, None) is not None:
            self.listener.worker_lost(worker, reason)

    def kill_worker(self, worker: WorkerId) -> None:
        self.killed.append(worker)
        self.loop.call_soon(self.lose, worker, "killed")

    async def close(self) -> None:
        self.closed += 1
        self.workers.clear()

    def bodies(self, node: str) -> list[list[bytes]]:
        """Return the first input of each call of each batch that ``node`` got."""
        return [[call.parts[0].body for call in sent.calls] for sent in self.sent if sent.node == node]
