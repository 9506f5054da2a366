"""The life of an attempt: enqueued, dispatched, settled; and what that means for its run.

Invariant: a failed run leaves nothing in any queue. Nothing here looks at a clock; ``now`` is passed in.
"""

from wfctl.engine.call import TAG, CallAnswer, CallError, Input, Part, Payload
from wfctl.engine.core.commands import Command, SettleRun, WithdrawCalls
from wfctl.engine.core.records import Attempt, NodeState, Run, WorkerSlot
from wfctl.engine.core.state import CoreState
from wfctl.errors import BadInputError, DeadlineExceededError, RunError, UnloadableError, WfctlError

MOST_DEATHS = 3
"""Workers that one call may cost before it is to blame."""
_MESSAGE_BYTES = 10_000
"""A refusing handler's body becomes a message; a picture must not."""


def enqueue(  # noqa: PLR0917 - keywords cost time on the hottest path
    state: CoreState, run: Run, node: NodeState, given: Input, number: int, now: float
) -> Attempt:
    """Put attempt ``number`` of ``node`` in its queue."""
    state.last_call = call_id = state.last_call + 1
    attempt = Attempt(call_id, given, run, node, number, now)
    attempt.ids = state.ids
    run.attempts[node.index] = attempt
    node.queue.append(attempt)
    deadline = now + node.timeout_s
    if deadline < state.wake_at:  # noqa: PLR1730 - min() costs three times as much
        state.wake_at = deadline
    if node.ancestors:
        _arrive(run, node)
    return attempt


def _arrive(run: Run, node: NodeState) -> None:
    if run.arrived is None:
        run.arrived = set()
    if node.index not in run.arrived:
        run.arrived.add(node.index)
        node.present += 1


def pass_by(state: CoreState, run: Run) -> None:
    """Have no batch wait for a run that will not come: it asks one node by itself."""
    for node in state.nodes:
        if node.ancestors:
            _arrive(run, node)


def succeed(state: CoreState, attempt: Attempt, answer: CallAnswer, now: float, commands: list[Command]) -> None:
    """Take the good answer to a live attempt."""
    run, node, body = attempt.run, attempt.node, answer.body
    attempt.received = now
    attempt.started_ns = answer.started_ns
    attempt.finished_ns = answer.finished_ns
    # The run keeps its attempts for their times. Their payloads are not needed any more, and the way back to the
    # run would make a cycle of every run, which only the collector could free.
    attempt.input = b""
    del attempt.run
    if node.leaf_index >= 0 or run.is_special:
        if run.is_special:
            _note_tag(run, node, answer)
        if node.leaf_index < 0 and run.only is None:
            _hand_on(state, run, node, body, now)
            return
        run.answers[node.leaf_index if run.only is None else 0] = answer
        run.open_leaves -= 1
        if not run.open_leaves:
            _settle_run(state, run, commands)
        return
    _hand_on(state, run, node, body, now)


def _note_tag(run: Run, node: NodeState, answer: CallAnswer) -> None:
    """Keep what the input calls itself, which its entry has read."""
    if answer.headers and node.is_entry:
        run.tag = answer.headers.get(TAG, run.tag)


def _hand_on(state: CoreState, run: Run, node: NodeState, body: Payload, now: float) -> None:
    for child in node.children:
        if child.parent_count == 1:
            enqueue(state, run, child, body, 1, now)
        else:
            _deliver(state, run, child, Part(node.name, body), now)


def _deliver(state: CoreState, run: Run, child: NodeState, part: Part, now: float) -> None:
    """Keep what one of several parents gives, and go on once all have."""
    if run.inboxes is None:
        run.inboxes = {}
    inbox = run.inboxes.setdefault(child.index, [])
    inbox.append(part)
    if len(inbox) == child.parent_count:
        enqueue(state, run, child, run.inboxes.pop(child.index), 1, now)


def refuse(state: CoreState, attempt: Attempt, answer: CallAnswer, now: float, commands: list[Command]) -> None:
    """Take the answer to a live attempt that is an error or a status of one."""
    error = answer.error
    if error is None:
        message = bytes(answer.body[:_MESSAGE_BYTES]).decode("utf-8", "replace") or f"status {answer.status}"
        error = CallError(message, status=answer.status, is_final=True)
    if error.is_of_batch and attempt.is_shared and attempt.node.isolates:
        send_alone(attempt)
    else:
        fail_attempt(state, attempt, error, now, commands)


def send_alone(attempt: Attempt) -> None:
    """Queue a live attempt again for a batch of its own: not known to be at fault, it costs no attempt."""
    attempt.worker = None
    attempt.is_alone = True
    attempt.is_shared = False
    attempt.node.alone.append(attempt)
    attempt.node.retried += 1


def give_back(attempts: list[Attempt]) -> None:
    """Put live attempts of one node that were never begun where they came from, in order of age."""
    for attempt in attempts:
        attempt.worker = None
        (attempt.node.alone if attempt.is_alone else attempt.node.queue).append(attempt)
    for node in {attempt.node for attempt in attempts}:
        ordered = sorted(node.queue, key=lambda each: each.call_id)
        node.queue.clear()
        node.queue.extend(ordered)


def blame_death(state: CoreState, attempt: Attempt, reason: str, now: float, commands: list[Command]) -> None:
    """Decide about a live attempt whose worker died while it ran."""
    node = attempt.node
    if not node.isolates:
        failure = CallError(f"the worker died: {reason}", is_final=True)
    elif attempt.is_shared:
        send_alone(attempt)
        return
    else:
        attempt.deaths += 1
        if attempt.deaths < MOST_DEATHS:
            send_alone(attempt)
            return
        failure = CallError(f"the worker died {MOST_DEATHS} times while it ran this alone: {reason}", is_final=True)
    fail_attempt(state, attempt, failure, now, commands)


def fail_attempt(state: CoreState, attempt: Attempt, failure: CallError, now: float, commands: list[Command]) -> None:
    """End a live attempt that failed in a handler: try again, or fail the run."""
    run, node, number = attempt.run, attempt.node, attempt.number
    run.attempts[node.index] = None
    if node.isolates and not failure.is_final and _may_retry(state, run, node, number):
        _enqueue_again(state, attempt, now)
        return
    node.failed += not failure.is_of_input  # the node has not seen it
    kind = BadInputError if failure.is_of_input else RunError
    error = kind(
        failure.message,
        node=node.name,
        attempts=number,
        status=failure.status,
        traceback_text=failure.traceback_text,
    )
    fail_run(state, run, error, commands)


def _enqueue_again(state: CoreState, attempt: Attempt, now: float) -> None:
    """Queue another try of what failed at a worker; it is not put together with what has not."""
    node = attempt.node
    again = enqueue(state, attempt.run, node, attempt.input, attempt.number + 1, now)
    if node.batch_size > 1:
        node.queue.pop()
        again.is_alone = True
        node.alone.append(again)


def _may_retry(state: CoreState, run: Run, node: NodeState, number: int) -> bool:
    # The budget is the run's: in a deep chain, retries of every node would add up to a storm.
    if number > node.retry_attempts or run.retries >= state.most_retries:
        return False
    run.retries += 1
    node.retried += 1
    return True


def expire_attempt(state: CoreState, attempt: Attempt, now: float, commands: list[Command]) -> None:
    """End a live attempt whose time is up: try again, or fail the run."""
    run, node, number, worker = attempt.run, attempt.node, attempt.number, attempt.worker
    run.attempts[node.index] = None
    was_waiting = worker is None or _withdraw(attempt, worker, commands) or _came_late(attempt)
    if (worker is None or node.isolates) and _may_retry(state, run, node, number):
        if worker is None:
            enqueue(state, run, node, attempt.input, number + 1, now)
        else:
            _enqueue_again(state, attempt, now)
        return
    node.failed += 1
    fail_run(state, run, _out_of_time(node, number, was_waiting=was_waiting), commands)


def _came_late(attempt: Attempt) -> bool:
    """Whether most of its time was gone when its worker got it; only of what may be sent again."""
    node = attempt.node
    return node.isolates and attempt.sent - attempt.enqueued > node.timeout_s / 2


def _out_of_time(node: NodeState, number: int, *, was_waiting: bool) -> RunError:
    if was_waiting and node.last_failure is not None and not node.has_ready_worker:
        words = f"no worker was there for it, and none loads at present: {node.last_failure}"
        return UnloadableError(words, node=node.name, attempts=number - 1, status=503)
    where = "no worker was free for it" if was_waiting else "the handler did not answer"
    return DeadlineExceededError(
        f'node "{node.name}" used up its {node.timeout_ms} ms, {where} (attempt {number} of {number})',
        node=node.name,
        attempts=number,
        status=504,
        hint='raise "timeout-ms", or give the node more workers',
        was_waiting=was_waiting,
    )


def expire_queue(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    """Withdraw what has waited out its time in the queues of ``node``."""
    queue, timeout_s = node.queue, node.timeout_s
    while queue and queue[0].enqueued + timeout_s <= now:
        expire_attempt(state, queue.popleft(), now, commands)
    if node.alone:
        for attempt in [each for each in node.alone if each.deadline <= now]:
            node.alone.remove(attempt)
            expire_attempt(state, attempt, now, commands)


def expire_run(state: CoreState, run: Run, commands: list[Command]) -> None:
    """End a run whose own time is up."""
    attempt = next((each for each in run.attempts if each is not None and not each.is_done), None)
    node = attempt.node.name if attempt else ""
    error = DeadlineExceededError(
        f'the run was not done after {run.limit_s:g} s; it was at node "{node}"',
        node=node,
        attempts=attempt.number if attempt else 0,
        status=504,
    )
    fail_run(state, run, error, commands)


def fail_run(state: CoreState, run: Run, error: WfctlError, commands: list[Command]) -> None:
    """End a run with ``error``; its other work is withdrawn or abandoned."""
    run.error = error
    release(run, commands)
    _settle_run(state, run, commands)


def release(run: Run, commands: list[Command]) -> None:
    """Withdraw what waits, here or at a worker, and abandon what runs."""
    attempts = run.attempts
    for index, attempt in enumerate(attempts):
        if attempt is None or attempt.is_done:
            continue
        attempts[index] = None
        if attempt.worker is not None:
            _withdraw(attempt, attempt.worker, commands)
        else:
            # Linear in the bounded queue; cheaper than keeping dead entries in mind at every dispatch.
            (attempt.node.alone if attempt.is_alone else attempt.node.queue).remove(attempt)


def _withdraw(attempt: Attempt, worker: WorkerSlot, commands: list[Command]) -> bool:
    """Take back what waits at its worker behind another batch, as far as is known; returns whether it does."""
    oldest = next(iter(worker.calls.values()), attempt)
    is_ahead = oldest.batch_id != attempt.batch_id
    if is_ahead:
        commands.append(WithdrawCalls(worker.worker_id, (attempt.call_id,)))
    return is_ahead


def forget_run(state: CoreState, run: Run) -> None:
    """Take a run out of the books."""
    run.is_settled = True
    del state.runs[run.number]
    if run.arrived is not None:
        for index in run.arrived:
            state.nodes[index].present -= 1


def _settle_run(state: CoreState, run: Run, commands: list[Command]) -> None:
    forget_run(state, run)
    commands.append(SettleRun(run))


def fail_unloadable(state: CoreState, node: NodeState, commands: list[Command]) -> None:
    """Fail what waits for a node that has no workers and will get none."""
    cause = node.load_error
    if cause is None or node.workers or node.restarts:
        return
    while node.queue or node.alone:
        attempt = (node.queue or node.alone)[0]
        node.failed += 1
        error = UnloadableError(
            f"it cannot be loaded any more: {cause.message}",
            node=node.name,
            attempts=attempt.number - 1,
            status=503,
            traceback_text=getattr(cause, "traceback_text", None),
            hint=cause.hint,
        )
        fail_run(state, attempt.run, error, commands)
