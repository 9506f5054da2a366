"""What happened, and what follows: one function per event, each returning the commands to carry out.

Invariant: after an event every due batch is handed out as far as workers have credit (those of new runs at the end of
the loop's turn, so that runs which come together go together), and ``state.wake_at`` is not later than the next moment
at which time alone changes something.
"""

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from math import ceil, inf

from wfctl.engine.backend import WorkerId
from wfctl.engine.call import WITHDRAWN, CallAnswer, Headers, Part
from wfctl.engine.core.attempts import (
    blame_death,
    enqueue,
    expire_attempt,
    expire_queue,
    expire_run,
    fail_run,
    forget_run,
    give_back,
    pass_by,
    refuse,
    release,
    succeed,
)
from wfctl.engine.core.commands import Command, RetireWorker, SettleRun, WithdrawCalls
from wfctl.engine.core.dispatch import measure
from wfctl.engine.core.records import Attempt, NodeState, Run, WorkerSlot, WorkerState
from wfctl.engine.core.serving import serve, serve_held
from wfctl.engine.core.staffing import (
    adopt,
    ask_the_silent,
    forget_worker,
    has_another,
    kill_the_stuck,
    note_failed_start,
    note_good_start,
    replace_worker,
    restart_due,
    shrink,
    shrinks_at,
    start_worker,
    why_killed,
)
from wfctl.engine.core.state import CoreState
from wfctl.engine.core.timing import next_deadline
from wfctl.errors import OverloadedError, WfctlError, WorkerError

_FIRST_ERROR_STATUS = 400
_GRACE_S = 0.001
"""How much later than at its deadline a run ends: an answer that comes at the very moment is its answer."""
_RETRY_AFTER_S = (1, 60)
_MOST_STALE = 1000
"""Deadlines of settled runs that are kept at most, beside as many as there are runs."""


def opened(state: CoreState) -> list[Command]:
    """Ask for ``min-workers`` of every node."""
    commands: list[Command] = []
    for node in state.nodes:
        for _ in range(node.min_workers):
            start_worker(state, node, commands)
    return commands


def run_submitted(  # noqa: PLR0917 - keywords cost time on the hottest path
    state: CoreState,
    parts: Sequence[Part],
    headers: Headers,
    on_settled: Callable[[Run], None],
    now: float,
    limit_s: float = inf,
    only: NodeState | None = None,
    face: int = 0,
) -> tuple[Run, list[Command]]:
    """Begin a run of the workflow, or of one node of it, or refuse it.

    ``turn_ended`` must follow, once for any number of runs.
    """
    state.last_run = number = state.last_run + 1
    run = Run(number, headers, on_settled, only, face)
    commands: list[Command] = []
    refusal = _refusal(state, now, commands)
    if refusal is not None:
        run.error = refusal
        run.is_settled = True
        return run, [*commands, SettleRun(run)]
    state.runs[number] = run
    run.attempts = [None] * len(state.nodes)
    run.open_leaves = leaves = len(state.leaves) if only is None else 1
    run.answers = [None] * leaves
    if only is not None:
        state.has_direct_runs = True
        pass_by(state, run)
    for entry in state.entries if only is None else (only,):
        enqueue(state, run, entry, parts, 1, now)
    if limit_s < inf:
        _limit(state, run, now, limit_s)
    return run, commands


def _limit(state: CoreState, run: Run, now: float, limit_s: float) -> None:
    run.limit_s = limit_s
    deadline = now + limit_s + _GRACE_S
    heappush(state.deadlines, (deadline, run.number))
    state.wake_at = min(state.wake_at, deadline)
    # Runs end long before their deadlines; those of the last hour, say, must not pile up.
    if len(state.deadlines) > 2 * len(state.runs) + _MOST_STALE:
        state.deadlines[:] = [each for each in state.deadlines if each[1] in state.runs]
        heapify(state.deadlines)


def _refusal(state: CoreState, now: float, commands: list[Command]) -> OverloadedError | None:
    if state.is_closing:
        return OverloadedError("the workflow is shutting down")
    if len(state.runs) < state.smallest_queue:
        return None
    # Every node counts, not only the entries: what they let in would pile up behind a slow node further down.
    for node in state.nodes:
        if node.waiting >= node.queue_size and node.is_entry:
            serve(state, node, now, commands)  # what came in this turn may find workers
        if node.waiting >= node.queue_size:
            return _overloaded(node)
    return None


def refusal_now(state: CoreState) -> OverloadedError | None:
    """Return why a run would be refused, if one came now; nothing is done about it."""
    if state.is_closing:
        return OverloadedError("the workflow is shutting down")
    full = (node for node in state.nodes if node.waiting >= node.queue_size)
    return next((_overloaded(node) for node in full), None)


def _overloaded(node: NodeState) -> OverloadedError:
    return OverloadedError(
        f'{node.waiting} calls wait for node "{node.name}"',
        hint='send less at a time, give the node more workers, or raise "queue-size"',
        retry_after_s=_retry_after(node),
    )


def _retry_after(node: NodeState) -> int:
    """Return how many seconds the queue needs: length x measured service time / workers, within bounds."""
    calls_a_batch = node.sent / node.batches if node.batches else 1
    workers = max(1, len(node.workers) - node.starting)
    least, most = _RETRY_AFTER_S
    return max(least, min(most, ceil(node.waiting * node.batch_time_s / calls_a_batch / workers)))


def turn_ended(state: CoreState, now: float) -> list[Command]:
    """Hand out what the runs of this turn of the loop brought."""
    commands: list[Command] = []
    for entry in state.nodes if state.has_direct_runs else state.entries:
        if entry.queue:
            serve(state, entry, now, commands)
    state.has_direct_runs = False
    return commands


def run_cancelled(state: CoreState, run: Run, now: float) -> list[Command]:
    """Forget a run nobody waits for; nothing is settled, nobody is told."""
    commands: list[Command] = []
    if not run.is_settled:
        release(run, commands)
        forget_run(state, run)
        serve_held(state, now, commands)
    return commands


def calls_answered(state: CoreState, worker_id: WorkerId, answers: Sequence[CallAnswer], now: float) -> list[Command]:
    """Take answers of one worker; late ones and ones to no open call are counted and dropped."""
    commands: list[Command] = []
    worker = state.workers.get(worker_id)
    if worker is None:
        state.stray_answers += len(answers)
        return commands
    was_idle = worker.is_idle
    node, last = worker.node, _take_answers(state, worker, answers, now, commands)
    worker.heard_at = now
    if last is not None and last.finished_ns:
        measure(node, last)
    if worker.is_idle and not was_idle:
        if worker.state is WorkerState.READY:
            node.free.append(worker)
            if node.staff > node.min_workers:
                state.wake_at = min(state.wake_at, shrinks_at(state, node))
        elif worker.state is WorkerState.LEAVING:
            forget_worker(state, worker_id)
            commands.append(RetireWorker(worker_id))
    # After all answers, so that what comes out of them can go on together.
    for touched in node.affected:
        if touched.queue or touched.alone:
            serve(state, touched, now, commands)
    serve_held(state, now, commands)
    if len(node.workers) > 1 and (node.free or node.looks_at <= now):
        ask_the_silent(state, node, now, commands)
    return commands


def _take_answers(
    state: CoreState, worker: WorkerSlot, answers: Sequence[CallAnswer], now: float, commands: list[Command]
) -> CallAnswer | None:
    """Take each answer to its attempt; returns the last that a handler gave."""
    node, calls = worker.node, worker.calls
    index = node.index
    last = None
    returned: list[Attempt] = []
    for answer in answers:
        attempt = calls.pop(answer.call_id, None)
        if attempt is None or answer.status == WITHDRAWN or attempt.run.attempts[index] is not attempt:
            _note_unused(state, worker, attempt, answer, returned)
        elif answer.error is not None or answer.status >= _FIRST_ERROR_STATUS:
            if answer.error is None or not answer.error.is_of_input:
                last = answer
            refuse(state, attempt, answer, now, commands)
        else:
            last = answer
            node.done += 1
            succeed(state, attempt, answer, now, commands)
    if last is not None:
        node.crashes = 0
    if returned:
        give_back(returned)
    return last


def _note_unused(
    state: CoreState, worker: WorkerSlot, attempt: Attempt | None, answer: CallAnswer, returned: list[Attempt]
) -> None:
    """Count an answer that settles nothing; a live call that was given back is to be queued again."""
    is_answer = answer.status != WITHDRAWN
    if attempt is None:
        if answer.call_id in worker.taken:
            worker.taken.discard(answer.call_id)
            state.late_answers += is_answer
        else:
            state.stray_answers += is_answer
    elif is_answer:
        state.late_answers += 1
    elif attempt.is_live:
        returned.append(attempt)


def progress_told(state: CoreState, worker_id: WorkerId, running: int | None, now: float) -> list[Command]:
    """Learn which batch a silent worker runs: all else that it was sent goes to others.

    Also what it is done with and has not told: fast nodes keep answers to send them together.
    """
    commands: list[Command] = []
    worker = state.workers.get(worker_id)
    if worker is None or not running:
        return commands
    node, calls = worker.node, worker.calls
    others = [attempt for attempt in calls.values() if attempt.batch_id != running]
    if not node.isolates or len(others) in {0, len(calls)} or not has_another(worker):
        return commands
    for attempt in others:
        del calls[attempt.call_id]
        worker.taken.add(attempt.call_id)
    commands.append(WithdrawCalls(worker_id, tuple(attempt.call_id for attempt in others)))
    give_back([attempt for attempt in others if attempt.is_live])
    serve(state, node, now, commands)
    return commands


def worker_ready(state: CoreState, worker_id: WorkerId, pid: int, now: float) -> list[Command]:
    """Put a worker to work."""
    commands: list[Command] = []
    worker = state.workers.get(worker_id)
    if worker is None:
        return [RetireWorker(worker_id)]  # let go before this news was heard
    if worker.state is not WorkerState.STARTING:
        return commands
    node = worker.node
    worker.state = WorkerState.READY
    worker.pid = pid
    worker.heard_at = now
    node.starting -= 1
    note_good_start(node)
    node.free.append(worker)
    if worker.edition > node.edition:
        adopt(state, worker, commands)
    state.wake_at = min(state.wake_at, shrinks_at(state, node))
    serve(state, node, now, commands)
    ask_the_silent(state, node, now, commands)
    state.wake_at = min(state.wake_at, next_deadline(state, now))
    return commands


def worker_failed(state: CoreState, worker_id: WorkerId, error: WfctlError, now: float) -> list[Command]:
    """Take note that a worker did not start; try again later, or give the node up."""
    commands: list[Command] = []
    worker = forget_worker(state, worker_id)
    if worker is None:
        return commands
    node = worker.node
    node.trials.pop(worker.edition, None)
    if worker.edition <= node.edition:  # else it was a trial, and the staff is what it was
        note_failed_start(node, error.message, now)
        if now - node.failing_since >= node.max_retry_s:
            node.load_error = error
        else:
            replace_worker(state, node, now, commands)
    serve(state, node, now, commands)
    return commands


def worker_lost(
    state: CoreState, worker_id: WorkerId, reason: str, now: float, running: int | None = None
) -> list[Command]:
    """Decide about the calls of a dead worker, and have it replaced.

    ``running`` is the batch that it ran, 0 for none; where that is not known, or no number of a batch (handlers can
    reach the memory it stands in), the oldest is taken for it.
    """
    commands: list[Command] = []
    worker = forget_worker(state, worker_id)
    if worker is None:
        return commands
    node, calls = worker.node, list(worker.calls.values())
    if calls and worker.state is WorkerState.KILLED:
        reason = why_killed(node, calls[0])
    node.lost += 1
    if calls and (running is None or running > worker.last_batch):
        running = calls[0].batch_id
    untouched: list[Attempt] = []
    for attempt in calls:
        if not attempt.is_live:
            continue
        if attempt.batch_id == running or not node.isolates:
            blame_death(state, attempt, reason, now, commands)
        else:
            untouched.append(attempt)
    give_back([attempt for attempt in untouched if attempt.is_live])
    if not worker.is_going:  # else nobody is missed
        if not node.max_retry_s:
            node.load_error = WorkerError(f"its worker died ({reason}), and maxRetryTimeoutInSec forbids another")
        replace_worker(state, node, now, commands)
    serve(state, node, now, commands)
    serve_held(state, now, commands)
    return commands


def time_passed(state: CoreState, now: float) -> list[Command]:
    """Do what is due by the clock alone: time-outs, batches that waited long enough, more and fewer workers."""
    commands: list[Command] = []
    state.wake_at = inf
    while state.deadlines and state.deadlines[0][0] <= now:
        _, number = heappop(state.deadlines)
        if number in state.runs:
            expire_run(state, state.runs[number], commands)
    for node in state.nodes:
        expire_queue(state, node, now, commands)
        for worker in tuple(node.workers.values()):
            if worker.calls:
                _expire_calls(state, worker, now, commands)
                kill_the_stuck(worker, now, commands)
        restart_due(state, node, now, commands)
        shrink(state, node, now, commands)
    for node in state.nodes:
        serve(state, node, now, commands)
        ask_the_silent(state, node, now, commands)
    state.wake_at = min(state.wake_at, next_deadline(state, now))
    return commands


def _expire_calls(state: CoreState, worker: WorkerSlot, now: float, commands: list[Command]) -> None:
    for attempt in tuple(worker.calls.values()):
        if attempt.deadline <= now and attempt.is_live:
            expire_attempt(state, attempt, now, commands)


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
