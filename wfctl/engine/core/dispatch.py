"""Who gets which calls, and how many may be at a worker.

Credit is what a worker may hold, running calls included: one batch for nodes that are slow or not measured yet, and
about a millisecond's worth of batches for fast ones, so that no worker waits for the way to the engine and back.
Invariant: no worker gets a second batch while another has none.
"""

from collections import deque
from typing import TYPE_CHECKING

from wfctl.engine.core.batching import plan_batch
from wfctl.engine.core.commands import Command, SendCalls
from wfctl.engine.core.records import Attempt, NodeState, WorkerSlot, WorkerState
from wfctl.engine.core.state import CoreState

if TYPE_CHECKING:
    from wfctl.engine.call import CallAnswer

AHEAD_S = 0.001
"""How much work a worker of a fast node may hold."""
MOST_AHEAD = 512
"""Batches that a worker may hold at most."""
_LEAST_S = 1e-7
"""What clocks show as nothing."""
_SELDOM = 3


def dispatch(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    """Hand out every batch that is due, as far as workers have credit; the queue holds nothing expired."""
    queue, alone = node.queue, node.alone
    sends: list[SendCalls] = []
    if node.batch_size == 1 and len(node.workers) == 1 and not alone:
        # One worker and batches of one is the usual case: whatever it may hold goes in one go.
        worker = worker_for(node)
        if worker is not None and queue:
            count = min(len(queue), node.credit - len(worker.calls))
            _hand_out(queue, worker, count, 1, now, _calls_for(sends, worker))
    while queue or alone:
        worker = worker_for(node)
        if worker is None:
            break
        if alone or node.batch_size == 1:
            _hand_out(alone or queue, worker, 1, 1, now, _calls_for(sends, worker))
        else:
            count = _due(state, node, worker, now)
            if not count:
                break
            _hand_out(queue, worker, count, count, now, _calls_for(sends, worker))
    commands += sends
    if sends and node.response_timeout_s < node.timeout_s:
        state.wake_at = min(state.wake_at, now + node.response_timeout_s)
    if state.held and not queue:
        state.held.discard(node)


def _due(state: CoreState, node: NodeState, worker: WorkerSlot, now: float) -> int:
    """Return how many calls the worker gets now; if none, see to it that the node is looked at again in time."""
    held = len(worker.calls)
    others = len(state.runs) - node.present
    count, due_at = plan_batch(node.queue, node, now, is_free=not held, others=others)
    if held and count > node.credit - held:
        return 0  # its next answer comes first
    if not count:
        state.wake_at = min(state.wake_at, due_at)
        if node.is_adaptive and not held:
            state.held.add(node)
    return count


def _calls_for(sends: list[SendCalls], worker: WorkerSlot) -> list[Attempt]:
    for send in sends:
        if send.worker == worker.worker_id:
            return send.calls
    send = SendCalls(worker.worker_id, [])
    sends.append(send)
    return send.calls


def worker_for(node: NodeState) -> WorkerSlot | None:
    """Return the free worker used last, or else the one with the fewest calls that has credit."""
    if node.free:
        return node.free[-1]
    credit = node.credit
    if credit <= node.batch_size:
        return None
    best = None
    for worker in node.workers.values():
        held = len(worker.calls)
        if held < credit and worker.state is WorkerState.READY and not worker.taken:
            credit, best = held, worker
    return best


def _hand_out(  # noqa: PLR0917 - keywords cost time on the hottest path
    source: deque[Attempt], worker: WorkerSlot, count: int, size: int, now: float, calls: list[Attempt]
) -> None:
    """Hand out ``count`` calls, in batches of ``size``: all of them, or 1."""
    node, held = worker.node, worker.calls
    if not held:
        node.free.pop()
    step = size == 1
    batch_id = worker.last_batch + 1 - step
    is_shared = size > 1
    for _ in range(count):
        attempt = source.popleft()
        batch_id += step
        attempt.worker = worker
        attempt.batch_id = batch_id
        attempt.is_shared = is_shared
        attempt.sent = now
        held[attempt.call_id] = attempt
        calls.append(attempt)
    worker.last_batch = batch_id
    node.batches += count // size
    node.sent += count


def measure(node: NodeState, answer: "CallAnswer") -> None:
    """Take the time of a batch into the node's average, and set its credit by it; slowness is believed at once."""
    took_s = (answer.finished_ns - answer.started_ns) * 1e-9 or _LEAST_S
    average = node.batch_time_s
    if took_s > average:
        average = (average + took_s) / 2 if average else took_s
    elif answer.call_id & _SELDOM:
        return  # what is as fast as ever need not be told each time
    else:
        average += (took_s - average) / 8
    node.batch_time_s = average
    if not node.isolates or average >= AHEAD_S:
        # What may not be sent twice is never handed out before it can be begun.
        node.credit = node.batch_size
    else:
        node.credit = node.batch_size * min(MOST_AHEAD, int(AHEAD_S / average) + 1)
