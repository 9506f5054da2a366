"""What happened, and what follows: one function per event, each returning the commands to carry out.

Invariant: a function returns with every due batch handed out as far as workers are free, and with
``state.wake_at`` not later than the next moment at which time alone changes something.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf

from wfctl.engine.backend import WorkerId
from wfctl.engine.call import CallAnswer, CallError, Part
from wfctl.engine.core.attempts import (
    dispatch,
    enqueue,
    expire_attempt,
    expire_queue,
    fail_attempt,
    fail_run,
    release,
    settle_attempt,
)
from wfctl.engine.core.batching import plan_batch
from wfctl.engine.core.commands import Command, KillWorker, SettleRun, StartWorker
from wfctl.engine.core.records import Attempt, CoreState, NodeState, Run, WorkerSlot, WorkerState
from wfctl.errors import OverloadedError, WfctlError

BACKOFF_S = (0.0, 1.0, 1.0, 2.0, 3.0, 5.0)
"""Waiting time before a replacement, by workers lost in a row; the last holds for all further ones."""

MAX_LOAD_FAILURES = 5
"""Failed starts in a row after which a node is given up."""


def opened(state: CoreState) -> list[Command]:
    """Ask for the workers of every node: ``max-workers`` at once; there is no scaling yet."""
    commands: list[Command] = []
    for node in state.nodes:
        for _ in range(node.max_workers):
            _start_worker(state, node, commands)
    return commands


def run_submitted(
    state: CoreState,
    parts: Sequence[Part],
    headers: Mapping[str, str],
    on_settled: Callable[[Run], None],
    now: float,
) -> tuple[Run, list[Command]]:
    """Begin a run at the entry nodes, or refuse it."""
    state.last_run = number = state.last_run + 1
    run = Run(number, parts, headers, on_settled)
    commands: list[Command] = []
    refusal = _refusal(state)
    if refusal is not None:
        run.error = refusal
        run.is_settled = True
        commands.append(SettleRun(run))
        return run, commands
    state.runs[number] = run
    run.current = [None] * len(state.nodes)
    run.answers = [None] * len(state.leaves)
    run.open_leaves = len(state.leaves)
    for entry in state.entries:
        enqueue(state, run, entry, parts, 1, now)
    for entry in state.entries:
        dispatch(state, entry, now, commands)
    return run, commands


def _refusal(state: CoreState) -> OverloadedError | None:
    if state.is_closing:
        return OverloadedError("the workflow is shutting down")
    # Every node counts, not only the entries: what they let in would pile up behind a slow node further down.
    for node in state.nodes:
        if len(node.queue) >= node.queue_size:
            return OverloadedError(
                f'{len(node.queue)} calls wait for node "{node.name}"',
                hint='send less at a time, give the node more workers, or raise "queue-size"',
            )
    return None


def run_cancelled(state: CoreState, run: Run) -> list[Command]:
    """Forget a run nobody waits for; nothing is settled, nobody is told."""
    if not run.is_settled:
        run.is_settled = True
        release(run)
        del state.runs[run.number]
    return []


def batch_answered(state: CoreState, worker_id: WorkerId, answers: Sequence[CallAnswer], now: float) -> list[Command]:
    """Take answers of one worker; late ones and ones to no open call are counted and dropped."""
    commands: list[Command] = []
    worker = state.workers.get(worker_id)
    if worker is None or not worker.calls:
        state.stray_answers += len(answers)
        return commands
    node, calls = worker.node, worker.calls
    index = node.index
    for answer in answers:
        attempt = calls.pop(answer.call_id, None)
        if attempt is None:
            state.stray_answers += 1
        elif attempt.run.current[index] is attempt:
            settle_attempt(state, attempt, answer, now, commands)
        else:
            state.late_answers += 1
    if not calls and worker.state is WorkerState.READY:
        node.free.append(worker)
    # After all answers, so that what comes out of one batch can go on as one batch.
    for touched in node.affected:
        if touched.queue:
            dispatch(state, touched, now, commands)
    return commands


def worker_ready(state: CoreState, worker_id: WorkerId, pid: int, now: float) -> list[Command]:
    """Put a worker to work."""
    commands: list[Command] = []
    worker = state.workers.get(worker_id)
    if worker is None or worker.state is not WorkerState.STARTING:
        return commands  # lost again before this news was heard
    node = worker.node
    worker.state = WorkerState.READY
    worker.pid = pid
    node.load_failures = 0
    node.load_error = None
    node.free.append(worker)
    dispatch(state, node, now, commands)
    return commands


def worker_failed(state: CoreState, worker_id: WorkerId, error: WfctlError, now: float) -> list[Command]:
    """Take note that a worker did not start; try again later, or give the node up."""
    commands: list[Command] = []
    worker = _forget_worker(state, worker_id)
    if worker is None:
        return commands
    node = worker.node
    node.load_failures += 1
    if node.load_failures >= MAX_LOAD_FAILURES:
        node.load_error = error
    else:
        _replace_worker(state, node, now, commands)
    dispatch(state, node, now, commands)
    return commands


def worker_lost(state: CoreState, worker_id: WorkerId, reason: str, now: float) -> list[Command]:
    """Fail the attempts a dead worker had, and have it replaced."""
    commands: list[Command] = []
    worker = _forget_worker(state, worker_id)
    if worker is None:
        return commands
    node = worker.node
    if worker in node.free:
        node.free.remove(worker)
    failure = CallError(f"the worker died: {reason}")
    for attempt in worker.calls.values():
        if attempt.is_live:
            fail_attempt(state, attempt, failure, now, commands)
    _replace_worker(state, node, now, commands)
    dispatch(state, node, now, commands)
    return commands


def time_passed(state: CoreState, now: float) -> list[Command]:
    """Do what is due by the clock alone: time-outs, batches that waited long enough, replacements."""
    commands: list[Command] = []
    state.wake_at = inf
    for node in state.nodes:
        expire_queue(state, node, now, commands)
        for worker in node.workers.values():
            if worker.calls:
                _expire_calls(state, worker, now, commands)
        _restart_due(state, node, now, commands)
    for node in state.nodes:
        dispatch(state, node, now, commands)
    state.wake_at = min(state.wake_at, next_deadline(state, now))
    return commands


def closing_began(state: CoreState) -> list[Command]:
    """Refuse new runs; lost workers are replaced only as long as runs are in flight."""
    state.is_closing = True
    return []


def all_failed(state: CoreState, error: WfctlError) -> list[Command]:
    """End every run in flight with ``error``: the engine cannot go on."""
    commands: list[Command] = []
    for run in tuple(state.runs.values()):
        fail_run(state, run, error, commands)
    return commands


def next_deadline(state: CoreState, now: float) -> float:
    """Return the next moment at which time alone changes something, infinity if there is none."""
    soonest = inf
    for node in state.nodes:
        if node.queue:
            soonest = min(soonest, node.queue[0].deadline)
            if node.free:
                soonest = min(soonest, plan_batch(node.queue, node, now)[1])
        for worker in node.workers.values():
            if worker.calls:
                soonest = min(soonest, _call_deadline(worker))
        soonest = min(soonest, min(node.restarts, default=inf))
    return soonest


def _call_deadline(worker: WorkerSlot) -> float:
    kill_at = inf if worker.state is WorkerState.KILLED else _kill_at(worker)
    live = next((attempt for attempt in worker.calls.values() if attempt.is_live), None)
    return kill_at if live is None else min(live.deadline, kill_at)


def _kill_at(worker: WorkerSlot) -> float:
    oldest: Attempt = next(iter(worker.calls.values()))
    return oldest.deadline + worker.node.timeout_s


def _expire_calls(state: CoreState, worker: WorkerSlot, now: float, commands: list[Command]) -> None:
    for attempt in worker.calls.values():
        if attempt.deadline > now:
            break
        if attempt.is_live:
            expire_attempt(state, attempt, now, commands)
    if worker.state is WorkerState.READY and _kill_at(worker) <= now:
        worker.state = WorkerState.KILLED
        commands.append(KillWorker(worker.worker_id))


def _forget_worker(state: CoreState, worker_id: WorkerId) -> WorkerSlot | None:
    """Take a worker out of the books; ``None`` if it is not in them any more."""
    worker = state.workers.pop(worker_id, None)
    if worker is not None:
        del worker.node.workers[worker_id]
    return worker


def _replace_worker(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    if state.is_closing and not state.runs:
        return
    delay_s = BACKOFF_S[min(node.crashes, len(BACKOFF_S) - 1)]
    node.crashes += 1
    if not delay_s:
        _start_worker(state, node, commands)
        return
    node.restarts.append(now + delay_s)
    state.wake_at = min(state.wake_at, now + delay_s)


def _restart_due(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    for due_at in tuple(node.restarts):
        if due_at <= now:
            node.restarts.remove(due_at)
            _start_worker(state, node, commands)


def _start_worker(state: CoreState, node: NodeState, commands: list[Command]) -> None:
    state.last_worker += 1
    worker_id = WorkerId(state.last_worker)
    worker = WorkerSlot(worker_id, node)
    state.workers[worker_id] = worker
    node.workers[worker_id] = worker
    commands.append(StartWorker(node.name, worker_id))
