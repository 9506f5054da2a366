"""How many workers a node has, and which: started, replaced, added under load, let go when idle.

Invariant: never more than ``max-workers`` of a node, those that load and those to be started included; below
``min-workers`` only while replacements back off or after the node was given up.
"""

from math import inf

from wfctl.engine.backend import WorkerId
from wfctl.engine.core.commands import AskProgress, Command, KillWorker, RetireWorker, StartWorker
from wfctl.engine.core.records import Attempt, NodeState, WorkerSlot, WorkerState
from wfctl.engine.core.state import CoreState

BACKOFF_S = (0.0, 1.0, 1.0, 2.0, 3.0, 5.0)
"""Waiting time before another start, by workers lost in a row; the last holds for all further ones."""

GROW_AFTER_S = 0.1
"""How long a call waits before a node that may have more workers gets more."""

SILENT_AFTER_S, STUCK_AFTER_S = 0.005, 0.05
"""How long a worker may keep calls waiting while another has nothing to do, and while all others are busy; a fast
node's worker answers within 1 ms."""


def start_worker(state: CoreState, node: NodeState, commands: list[Command], *, edition: int | None = None) -> None:
    """Ask for one more worker, of the node's own edition or of one that is to be tried."""
    state.last_worker += 1
    worker_id = WorkerId(state.last_worker)
    worker = WorkerSlot(worker_id, node, node.edition if edition is None else edition)
    state.workers[worker_id] = worker
    node.workers[worker_id] = worker
    node.beside += worker.is_beside
    node.starting += 1
    commands.append(StartWorker(node.name, worker_id))


def forget_worker(state: CoreState, worker_id: WorkerId) -> WorkerSlot | None:
    """Take a worker out of the books; ``None`` if it is not in them any more."""
    worker = state.workers.pop(worker_id, None)
    if worker is not None:
        node = worker.node
        del node.workers[worker_id]
        node.beside -= worker.is_beside
        if worker.state is WorkerState.STARTING:
            node.starting -= 1
        elif worker in node.free:
            node.free.remove(worker)
    return worker


def let_go(state: CoreState, worker: WorkerSlot, commands: list[Command]) -> None:
    """Have a worker end: at once, or once it has answered what it has."""
    if worker.state is WorkerState.READY and not worker.is_idle:
        worker.state = WorkerState.LEAVING
        worker.is_going = True
        worker.node.beside += 1
    elif worker.state in {WorkerState.STARTING, WorkerState.READY}:
        forget_worker(state, worker.worker_id)
        commands.append(RetireWorker(worker.worker_id))


def staff_to(state: CoreState, node: NodeState, least: int, most: int, commands: list[Command]) -> None:
    """Change how many workers a node has: at least and at most so many, from now on."""
    node.min_workers, node.max_workers = least, most
    node.restarts.clear()
    node.crashes = 0
    note_good_start(node)
    for _ in range(least - node.staff):
        start_worker(state, node, commands)
    stays = {WorkerState.STARTING, WorkerState.READY}
    staying = [each for each in node.workers.values() if each.state in stays and not each.is_beside]
    # Who does nothing goes first, then who loads, then who has least to do.
    staying.sort(key=lambda each: (not each.is_idle, each.state is WorkerState.STARTING, len(each.calls)))
    for worker in staying[: max(0, node.staff - most)]:
        let_go(state, worker, commands)


def adopt(state: CoreState, worker: WorkerSlot, commands: list[Command]) -> None:
    """Go over to the edition that a worker was tried with, and to its settings.

    Numbers of workers that were asked for meanwhile stay, unless the plan has others than before.
    """
    node = worker.node
    trial = node.trials.get(worker.edition)
    if trial is not None:
        before, asked_for = node.planned_workers, (node.min_workers, node.max_workers)
        node.set_by(*trial)
        if node.planned_workers == before:
            node.min_workers, node.max_workers = asked_for
        state.recount()
    node.edition = worker.edition
    node.trials = {edition: each for edition, each in node.trials.items() if edition > node.edition}
    node.beside = sum(each.is_beside for each in node.workers.values())
    for each in list(node.workers.values()):
        if each.edition < node.edition:
            let_go(state, each, commands)
    staff_to(state, node, node.min_workers, node.max_workers, commands)


def replace_worker(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    """See to it that a node is not left with too few workers after it lost one; the wait grows with the losses."""
    # A good answer of another worker forgives the crashes, but says nothing of starts.
    delay_s = backoff_s(max(node.crashes, node.failed_starts))
    node.crashes += 1
    if node.load_error is not None or (state.is_closing and not state.runs):
        return
    if node.staff + len(node.restarts) >= node.min_workers:
        return
    if not delay_s:
        start_worker(state, node, commands)
        return
    node.restarts.append(now + delay_s)
    state.wake_at = min(state.wake_at, now + delay_s)


def note_failed_start(node: NodeState, reason: str, now: float) -> None:
    """Remember that a worker did not start, and hold back those that would be added for calls that wait."""
    node.failed_starts += 1
    node.failing_since = min(node.failing_since, now)
    node.last_failure = reason
    node.grows_after = now + backoff_s(node.failed_starts)


def note_good_start(node: NodeState) -> None:
    """Forget all failures to start."""
    node.failed_starts = 0
    node.failing_since = inf
    node.grows_after = 0.0
    node.last_failure = None
    node.load_error = None


def backoff_s(losses: int) -> float:
    """Return how long to wait after so many losses in a row."""
    return BACKOFF_S[min(losses, len(BACKOFF_S) - 1)]


def restart_due(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    """Start the replacements that have waited long enough."""
    for due_at in tuple(node.restarts):
        if due_at <= now:
            node.restarts.remove(due_at)
            start_worker(state, node, commands)


def grow(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    """Start more workers for calls that wait: at most as many as there are, and as there are batches waiting."""
    due_at = grows_at(node)
    if due_at > now:
        state.wake_at = min(state.wake_at, due_at)
        return
    room = node.max_workers - node.staff
    wanted = -(-node.waiting // node.batch_size)
    for _ in range(min(room, wanted, max(1, len(node.workers)))):
        start_worker(state, node, commands)


def grows_at(node: NodeState) -> float:
    """Return when a node gets more workers if nothing changes; infinity if it does not."""
    if node.staff >= node.max_workers or not node.waiting or node.starting or node.restarts or node.free:
        return inf
    if node.load_error is not None:
        return inf
    oldest = min((each[0].enqueued for each in (node.queue, node.alone) if each), default=inf)
    return max(oldest + GROW_AFTER_S, node.grows_after)


def shrink(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    """Let workers go that had nothing to do for too long."""
    while shrinks_at(state, node) <= now:
        worker = node.free[0]
        forget_worker(state, worker.worker_id)
        commands.append(RetireWorker(worker.worker_id))


def shrinks_at(state: CoreState, node: NodeState) -> float:
    """Return when the node lets a worker go if nothing changes; infinity if it does not."""
    if not node.free or node.staff <= node.min_workers:
        return inf
    # The most recently used is always taken first, so the one used longest ago is at the front.
    return node.free[0].heard_at + state.idle_s


def ask_the_silent(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    """Where a worker sits on batches that others could run, find out which of those it has begun."""
    if len(node.workers) == 1:
        return
    node.looks_at = now + STUCK_AFTER_S
    is_free = node.free and not node.waiting
    more_s = 0.0 if is_free else STUCK_AFTER_S - SILENT_AFTER_S
    for worker in node.workers.values():
        due_at = asks_at(worker)
        if due_at + more_s <= now:
            worker.heard_at = now  # asked once a while, not at every event
            due_at = asks_at(worker)
            commands.append(AskProgress(worker.worker_id))
        if is_free:  # else the answers of the others are the occasion to look again
            state.wake_at = min(state.wake_at, due_at)


def has_another(worker: WorkerSlot) -> bool:
    """Say whether the node has another worker that can take what this one keeps."""
    return any(
        each is not worker and each.state is WorkerState.READY and not each.taken
        for each in worker.node.workers.values()
    )


def asks_at(worker: WorkerSlot) -> float:
    """Return when a worker has been silent for too long; infinity if it holds no batch that it may not have begun."""
    calls = worker.calls
    if worker.state not in {WorkerState.READY, WorkerState.LEAVING} or len(calls) < 2:  # noqa: PLR2004 - there is but one batch
        return inf
    first: Attempt = next(iter(calls.values()))
    if first.batch_id == next(reversed(calls.values())).batch_id:
        return inf
    return max(worker.heard_at, first.sent) + SILENT_AFTER_S


def kill_the_stuck(worker: WorkerSlot, now: float, commands: list[Command]) -> None:
    """End a worker that does not come back."""
    if worker.state in {WorkerState.READY, WorkerState.LEAVING} and kills_at(worker) <= now:
        worker.state = WorkerState.KILLED
        commands.append(KillWorker(worker.worker_id))


def kills_at(worker: WorkerSlot) -> float:
    """Return when a worker with calls will have been busy for too long.

    One more ``timeout-ms`` after its oldest call was given up, not at once: otherwise every time-out of an overloaded
    node with one worker would cost the loading of a model.
    """
    if worker.state is WorkerState.KILLED:
        return inf
    oldest: Attempt = next(iter(worker.calls.values()))
    return min(oldest.deadline + worker.node.timeout_s, oldest.sent + worker.node.response_timeout_s)


def why_killed(node: NodeState, oldest: Attempt) -> str:
    """Return in words why :func:`kill_the_stuck` ended a worker whose oldest call is ``oldest``."""
    if oldest.sent + node.response_timeout_s <= oldest.deadline + node.timeout_s:
        return f"it did not answer within its response timeout of {node.response_timeout_s:g} s, and was ended"
    return f"it was busy for another {node.timeout_ms} ms after the time of a call was up, and was ended"
