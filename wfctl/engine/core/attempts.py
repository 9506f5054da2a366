"""The life of an attempt: enqueued, dispatched, settled; and what that means for its run.

Invariant: a failed run leaves nothing in any queue. Nothing here looks at a clock; ``now`` is passed in.
"""

from collections.abc import Sequence

from wfctl.engine.call import CallAnswer, CallError, Part
from wfctl.engine.core.batching import plan_batch
from wfctl.engine.core.commands import Command, SendBatch, SettleRun
from wfctl.engine.core.records import Attempt, CoreState, NodeState, Run
from wfctl.errors import DeadlineExceededError, RunError, UnloadableError, WfctlError

_MESSAGE_BYTES = 10_000
"""A refusing handler's body becomes a message; a picture must not."""


def enqueue(  # noqa: PLR0917 - keywords cost time on the hottest path
    state: CoreState, run: Run, node: NodeState, parts: Sequence[Part], number: int, now: float
) -> None:
    """Put attempt ``number`` of ``node`` in its queue."""
    state.last_call = call_id = state.last_call + 1
    attempt = Attempt(call_id, parts, state.new_request_id(), run, node, number, now)
    run.current[node.index] = attempt
    node.queue.append(attempt)
    if attempt.deadline < state.wake_at:  # noqa: PLR1730 - min() costs three times as much
        state.wake_at = attempt.deadline


def dispatch(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    """Hand out every batch that is due while a worker is free."""
    queue, free = node.queue, node.free
    while queue and free:
        if queue[0].deadline <= now:
            expire_queue(state, node, now, commands)
            continue
        count, due_at = plan_batch(queue, node, now)
        if not count:
            state.wake_at = min(state.wake_at, due_at)
            return
        worker = free.pop()
        calls = worker.calls
        batch = []
        for _ in range(count):
            attempt = queue.popleft()
            attempt.worker = worker
            attempt.sent = now
            calls[attempt.call_id] = attempt
            batch.append(attempt)
        node.batches += 1
        commands.append(SendBatch(worker.worker_id, batch))
    if queue and node.load_error is not None and not node.workers and not node.restarts:
        _fail_unloadable(state, node, node.load_error, commands)


def settle_attempt(state: CoreState, attempt: Attempt, answer: CallAnswer, now: float, commands: list[Command]) -> None:
    """Take the answer to a live attempt."""
    attempt.received = now
    attempt.started_ns = answer.started_ns
    attempt.finished_ns = answer.finished_ns
    if answer.error is not None:
        fail_attempt(state, attempt, answer.error, now, commands)
    elif answer.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
        message = answer.body[:_MESSAGE_BYTES].decode("utf-8", "replace") or f"status {answer.status}"
        fail_attempt(state, attempt, CallError(message, status=answer.status, is_final=True), now, commands)
    else:
        _node_done(state, attempt, answer, now, commands)


def _node_done(state: CoreState, attempt: Attempt, answer: CallAnswer, now: float, commands: list[Command]) -> None:
    run, node = attempt.run, attempt.node
    run.current[node.index] = None
    run.done.append(attempt)
    # The run keeps its attempts for their times. Their payloads are not needed any more, and the way back to the
    # run would make a cycle of every run, which only the collector could free.
    attempt.parts = ()
    del attempt.run
    node.done += 1
    node.crashes = 0
    if node.leaf_index >= 0:
        run.answers[node.leaf_index] = answer
        run.open_leaves -= 1
        if not run.open_leaves:
            _settle_run(state, run, commands)
        return
    for child in node.children:
        if child.parent_count == 1:
            enqueue(state, run, child, (Part("body", answer.body),), 1, now)
            continue
        inbox = run.inboxes.setdefault(child.index, [])
        inbox.append(Part(node.name, answer.body))
        if len(inbox) == child.parent_count:
            enqueue(state, run, child, run.inboxes.pop(child.index), 1, now)


def fail_attempt(state: CoreState, attempt: Attempt, failure: CallError, now: float, commands: list[Command]) -> None:
    """End a live attempt that failed: try again, or fail the run."""
    run, node, number = attempt.run, attempt.node, attempt.number
    run.current[node.index] = None
    if number <= node.retry_attempts and not failure.is_final:
        enqueue(state, run, node, attempt.parts, number + 1, now)
        return
    node.failed += 1
    error = RunError(
        failure.message,
        node=node.name,
        attempts=number,
        status=failure.status,
        traceback_text=failure.traceback_text,
    )
    fail_run(state, run, error, commands)


def expire_attempt(state: CoreState, attempt: Attempt, now: float, commands: list[Command]) -> None:
    """End a live attempt whose time is up: try again, or fail the run."""
    run, node, number = attempt.run, attempt.node, attempt.number
    run.current[node.index] = None
    if number <= node.retry_attempts:
        enqueue(state, run, node, attempt.parts, number + 1, now)
        return
    node.failed += 1
    where = "no worker was free for it" if attempt.worker is None else "the handler did not answer"
    error = DeadlineExceededError(
        f'node "{node.name}" used up its {node.timeout_ms} ms, {where} (attempt {number} of {number})',
        node=node.name,
        attempts=number,
        status=504,
        hint='raise "timeout-ms", or give the node more workers',
    )
    fail_run(state, run, error, commands)


def expire_queue(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    """Withdraw what has waited out its time in the queue of ``node``."""
    queue = node.queue
    while queue and queue[0].deadline <= now:
        expire_attempt(state, queue.popleft(), now, commands)


def fail_run(state: CoreState, run: Run, error: WfctlError, commands: list[Command]) -> None:
    """End a run with ``error``; its other work is withdrawn or abandoned."""
    run.error = error
    release(run)
    _settle_run(state, run, commands)


def release(run: Run) -> None:
    """Withdraw what waits and abandon what runs."""
    current = run.current
    for index, attempt in enumerate(current):
        if attempt is not None:
            current[index] = None
            if attempt.worker is None:
                # Linear in the bounded queue; cheaper than keeping dead entries in mind at every dispatch.
                attempt.node.queue.remove(attempt)


def _settle_run(state: CoreState, run: Run, commands: list[Command]) -> None:
    run.is_settled = True
    del state.runs[run.number]
    commands.append(SettleRun(run))


def _fail_unloadable(state: CoreState, node: NodeState, cause: WfctlError, commands: list[Command]) -> None:
    while node.queue:
        attempt = node.queue.popleft()
        attempt.run.current[node.index] = None
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
