"""What must hold between two events. Run by the tests after every step, never in service."""

from wfctl.engine.core.batching import plan_batch
from wfctl.engine.core.events import next_deadline
from wfctl.engine.core.records import CoreState, NodeState, Run, WorkerState


def validate(state: CoreState, now: float) -> None:
    """Raise ``AssertionError`` naming the first promise that does not hold."""
    for node in state.nodes:
        _check_workers(state, node)
        _check_queue(state, node, now)
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
        _demand((worker.worker_id in free) == (ready and not worker.calls), f"{worker}: free is not what it is")
        _demand(len(worker.calls) <= node.batch_size, f"{worker}: holds more than a batch")
        _demand(all(call.worker is worker for call in worker.calls.values()), f"{worker}: holds another's call")
    _demand(free <= node.workers.keys(), f"{node}: a free worker is gone")
    _demand(len(node.workers) + len(node.restarts) <= node.max_workers, f"{node}: more workers than allowed")
    _demand(state.workers.keys() >= node.workers.keys(), f"{node}: has a worker that the engine does not know")


def _check_queue(state: CoreState, node: NodeState, now: float) -> None:
    times = [attempt.enqueued for attempt in node.queue]
    _demand(times == sorted(times), f"{node}: the queue is out of order")
    _demand(all(attempt.worker is None and attempt.is_live for attempt in node.queue), f"{node}: queues dead work")
    _demand(all(attempt.run.number in state.runs for attempt in node.queue), f"{node}: queues for a settled run")
    due, _ = plan_batch(node.queue, node, now)
    _demand(not (due and node.free), f"{node}: a due batch waits beside a free worker")


def _check_run(state: CoreState, run: Run) -> None:
    _demand(not run.is_settled, f"{run}: settled and in flight")
    done = [attempt.node.index for attempt in run.done]
    _demand(len(done) == len(set(done)), f"{run}: a node is done twice")
    live = [attempt for attempt in run.current if attempt is not None]
    _demand(bool(live), f"{run}: nothing will ever settle it")
    for attempt in live:
        node = attempt.node
        _demand(node.index not in done, f"{attempt}: tried although the node is done")
        _demand(attempt.number <= node.retry_attempts + 1, f"{attempt}: beyond the budget")
        at_worker = attempt.worker is not None and attempt.call_id in attempt.worker.calls
        _demand(at_worker != (attempt in node.queue), f"{attempt}: lost, or in two places")
        _demand(attempt.worker is None or attempt.worker.worker_id in state.workers, f"{attempt}: at a lost worker")
