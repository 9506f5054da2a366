"""What must hold between two events. Run by the tests after every step, never in service."""

from wfctl.engine.core.batching import plan_batch
from wfctl.engine.core.records import Attempt, NodeState, Run, WorkerState
from wfctl.engine.core.state import CoreState
from wfctl.engine.core.timing import next_deadline


def validate(state: CoreState, now: float) -> None:
    """Raise ``AssertionError`` naming the first promise that does not hold."""
    for node in state.nodes:
        _check_workers(state, node)
        _check_queues(state, node)
        _check_batches(state, node, now)
    for run in state.runs.values():
        _check_run(state, run)
    _demand(state.wake_at <= next_deadline(state, now), "the engine would wake up too late")
    _demand(
        set(state.workers) == {worker for node in state.nodes for worker in node.workers},
        "the nodes' workers are not the engine's workers",
    )


def _demand(holds: bool, claim: str) -> None:
    if not holds:
        raise AssertionError(claim)


def _check_workers(state: CoreState, node: NodeState) -> None:
    free = {worker.worker_id for worker in node.free}
    _demand(len(free) == len(node.free), f"{node}: a worker is free twice")
    for worker in node.workers.values():
        ready = worker.state is WorkerState.READY
        _demand(worker.state is not WorkerState.LEAVING or not worker.is_idle, f"{worker}: is to go and does not")
        _demand((worker.worker_id in free) == (ready and worker.is_idle), f"{worker}: free is not what it is")
        _demand(all(call.worker is worker for call in worker.calls.values()), f"{worker}: holds another's call")
        batches = [call.batch_id for call in worker.calls.values()]
        _demand(batches == sorted(batches), f"{worker}: its batches are out of order")
        _demand(not batches or batches[-1] <= worker.last_batch, f"{worker}: counts its batches wrongly")
    _demand(free <= node.workers.keys(), f"{node}: a free worker is gone")
    killed = sum(worker.state is WorkerState.KILLED for worker in node.workers.values())
    _demand(node.staff + len(node.restarts) <= node.max_workers + killed, f"{node}: more workers than allowed")
    beside = sum(worker.is_beside for worker in node.workers.values())
    _demand(beside == node.beside, f"{node}: counts wrongly who is no part of its staff")
    starting = sum(worker.state is WorkerState.STARTING for worker in node.workers.values())
    _demand(starting == node.starting, f"{node}: counts wrongly what loads")
    _demand(state.workers.keys() >= node.workers.keys(), f"{node}: has a worker that the engine does not know")


def _check_queues(state: CoreState, node: NodeState) -> None:
    times = [attempt.enqueued for attempt in node.queue]
    _demand(times == sorted(times), f"{node}: the queue is out of order")
    waiting = [*node.queue, *node.alone]
    _demand(all(attempt.worker is None and attempt.is_live for attempt in waiting), f"{node}: queues dead work")
    _demand(all(attempt.run.number in state.runs for attempt in waiting), f"{node}: queues for a settled run")
    _demand(all(attempt.is_alone for attempt in node.alone), f"{node}: mixes up what goes alone")
    _demand(not any(attempt.is_alone for attempt in node.queue), f"{node}: mixes what goes alone with the rest")
    present = sum(1 for run in state.runs.values() if node.index in (run.arrived or ()))
    _demand(present == node.present, f"{node}: counts wrongly who is there")


def _check_batches(state: CoreState, node: NodeState, now: float) -> None:
    others = len(state.runs) - node.present
    due, _ = plan_batch(node.queue, node, now, is_free=True, others=others)
    _demand(not ((due or node.alone) and node.free), f"{node}: a due batch waits beside a free worker")
    for worker in node.workers.values():
        batches = {call.batch_id for call in worker.calls.values()}
        sizes = [sum(call.batch_id == each for call in worker.calls.values()) for each in batches]
        _demand(all(size <= node.batch_size for size in sizes), f"{worker}: holds more than a batch in one")
        if not node.isolates:
            _demand(len(batches) <= 1, f"{worker}: was handed ahead what may not be sent twice")


def _check_run(state: CoreState, run: Run) -> None:
    _demand(not run.is_settled, f"{run}: settled and in flight")
    live = [attempt for attempt in run.attempts if attempt is not None and not attempt.is_done]
    _demand(bool(live), f"{run}: nothing will ever settle it")
    for attempt in live:
        _check_live(state, attempt)


def _check_live(state: CoreState, attempt: Attempt) -> None:
    node, worker = attempt.node, attempt.worker
    _demand(attempt.run.attempts[node.index] is attempt, f"{attempt}: stands in another's place")
    _demand(attempt.number <= node.retry_attempts + 1, f"{attempt}: beyond the budget")
    at_worker = worker is not None and attempt.call_id in worker.calls
    _demand(at_worker != (attempt in node.queue or attempt in node.alone), f"{attempt}: lost, or in two places")
    _demand(worker is None or worker.worker_id in state.workers, f"{attempt}: at a lost worker")
