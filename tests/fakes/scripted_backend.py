"""A backend without processes: workers do what a script says, and can fail in every way that real ones can."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from wfctl.engine.backend import WorkerId, WorkerListener, WorkerReport
from wfctl.engine.call import WITHDRAWN, Call, CallAnswer, CallError
from wfctl.plan import ExecutionPlan, NodePlan


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
    is_measured: bool = False
    """Whether its answers say how long the handler took, so that the engine hands calls ahead."""
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
        self.retired: list[WorkerId] = []
        self.withdrawn: list[int] = []
        self.asked: list[WorkerId] = []
        """Workers that were asked what was measured; tests answer for them."""
        self.desks: dict[WorkerId, deque[list[Call]]] = {}
        """Batches that a worker has not begun."""
        self.running: dict[WorkerId, int] = {}
        """Worker -> batch that it runs."""
        self.workers: dict[WorkerId, str] = {}
        self.planned: dict[WorkerId, NodePlan] = {}
        """Workers that start by another plan."""
        self.closed = 0
        self.listener: WorkerListener | None = None

    async def open(self, plan: ExecutionPlan, listener: WorkerListener) -> None:
        self.plan, self.listener = plan, listener
        self.loop = asyncio.get_running_loop()
        for node in plan.nodes:
            self.scripts.setdefault(node.name, NodeScript())

    def plan_worker(self, worker: WorkerId, planned: NodePlan) -> None:
        self.planned[worker] = planned

    async def start_worker(self, node: str, worker: WorkerId) -> WorkerReport:
        script = self.scripts[node]
        self.started.append((node, self.loop.time()))
        async with asyncio.timeout(self.plan.startup_timeout_of(node)):
            await asyncio.sleep(script.load_s)
        outcome = script.loads.pop(0) if script.loads else None
        if outcome is not None:
            raise outcome
        self.workers[worker] = node
        self.desks[worker] = deque()
        return WorkerReport(worker=worker, node=node, pid=10_000 + worker, load_s=script.load_s)

    def send_calls(self, worker: WorkerId, calls: Sequence[Call]) -> None:
        if worker not in self.workers:
            return
        node = self.workers[worker]
        for _, group in groupby(calls, key=lambda call: call.batch_id):
            batch = list(group)
            # Copies: the engine takes the payloads out of its calls once they are answered.
            copies = [
                Call(
                    c.call_id,
                    c.input,
                    ids=c.ids,
                    batch_id=c.batch_id,
                    headers=c.headers,
                    form=c.form,
                )
                for c in batch
            ]
            self.sent.append(Sent(node, worker, copies, self.loop.time()))
            self.desks[worker].append(copies)
        self._begin(worker)

    def _begin(self, worker: WorkerId) -> None:
        """Let a worker that is idle run its next batch; it answers when the loop turns, or later."""
        desk = self.desks[worker]
        if not desk or worker in self.running:
            return
        batch = desk.popleft()
        self.running[worker] = batch[0].batch_id
        script = self.scripts[self.workers[worker]]
        if script.ran_s:
            self.loop.call_later(script.ran_s, self._reply, worker, script, batch)
        else:
            self.loop.call_soon(self._reply, worker, script, batch)

    def _reply(self, worker: WorkerId, script: NodeScript, calls: Sequence[Call]) -> None:
        if worker not in self.workers:
            return
        reply = script.reply(calls)
        if isinstance(reply, Lost):
            self.lose(worker, reply.reason)
            return
        if reply is None:
            return
        del self.running[worker]
        if script.is_measured:
            for answer in reply:
                answer.finished_ns = int(self.loop.time() * 1e9)
                answer.started_ns = answer.finished_ns - int(script.ran_s * 1e9)
        self.listener.worker_answered(worker, reply)
        if worker in self.workers:
            self._begin(worker)

    def withdraw_calls(self, worker: WorkerId, call_ids: Sequence[int]) -> None:
        if worker not in self.workers:
            return
        self.withdrawn += call_ids
        desk, answers = self.desks[worker], []
        for _ in range(len(desk)):
            batch = desk.popleft()
            answers += [CallAnswer(call.call_id, WITHDRAWN) for call in batch if call.call_id in call_ids]
            left = [call for call in batch if call.call_id not in call_ids]
            if left:
                desk.append(left)
        if answers:
            self.loop.call_soon(self._tell_withdrawn, worker, answers)

    def _tell_withdrawn(self, worker: WorkerId, answers: list[CallAnswer]) -> None:
        if worker in self.workers:
            self.listener.worker_answered(worker, answers)

    def running_batch(self, worker: WorkerId) -> int | None:
        return self.running.get(worker, 0) if worker in self.workers else None

    def ask_metrics(self, worker: WorkerId) -> bool:
        self.asked.append(worker)
        return worker in self.workers

    def lose(self, worker: WorkerId, reason: str = "killed by signal 9") -> None:
        """Let a worker die now."""
        if self.workers.pop(worker, None) is not None:
            self.listener.worker_lost(worker, reason, self.running.pop(worker, 0))

    def retire_worker(self, worker: WorkerId) -> None:
        self.retired.append(worker)
        del self.workers[worker]

    def kill_worker(self, worker: WorkerId) -> None:
        self.killed.append(worker)
        self.loop.call_soon(self.lose, worker, "killed")

    async def close(self) -> None:
        self.closed += 1
        self.workers.clear()

    def bodies(self, node: str) -> list[list[bytes]]:
        """Return the first input of each call of each batch that ``node`` got."""
        return [[call.parts[0].body for call in sent.calls] for sent in self.sent if sent.node == node]
