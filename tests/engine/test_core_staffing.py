"""How many workers a node has: the least at once, more when calls wait, fewer when there is nothing to do."""

from dataclasses import replace

import pytest
from core_floor import Floor, kinds
from fakes.plans import plan_of

from wfctl.engine.call import CallAnswer
from wfctl.engine.core import events
from wfctl.engine.core.commands import RetireWorker, StartWorker
from wfctl.errors import LoadError
from wfctl.spec.model import WorkerSettings


def growing(**settings):
    return Floor(min_workers=1, max_workers=4, **settings)


def start_all(floor, commands):
    """Let the workers load that ``commands`` ask for; returns what follows."""
    more = []
    for command in commands:
        if isinstance(command, StartWorker):
            more += floor.tell(events.worker_ready, command.worker, 1)
    return more


def answer_all(floor):
    for worker in tuple(floor.node().workers.values()):
        for call in list(worker.calls.values()):
            floor.tell(events.calls_answered, worker.worker_id, [CallAnswer(call.call_id)])


def test_the_least_workers_are_started_at_once():
    floor = growing(ready=False)
    assert len(floor.state.workers) == 1


def test_more_are_started_once_a_call_has_waited_long_enough():
    floor = growing()
    floor.submit(1)
    floor.now += 0.05
    floor.submit(6)
    assert len(floor.state.workers) == 1
    (start,) = floor.wake()
    assert isinstance(start, StartWorker)
    assert floor.now == pytest.approx(100.15)


def test_the_number_is_doubled_while_calls_go_on_waiting():
    floor = growing()
    floor.submit(20)
    commands, started = floor.wake(), []
    for _ in range(3):
        started.append(kinds(commands).count("StartWorker"))
        commands = start_all(floor, commands)
    # With those there are as many as there may be.
    assert started == [1, 2, 0]
    assert len(floor.node().workers) == 4


def test_no_more_are_started_than_there_are_batches_waiting():
    floor = Floor(min_workers=2, max_workers=8, batch_size=4)
    floor.submit(8)
    floor.submit(3)
    assert kinds(floor.wake()) == ["StartWorker"]


def test_nobody_is_added_for_calls_that_find_a_free_worker():
    floor = growing()
    for _ in range(3):
        _, (send,) = floor.submit()
        floor.now += 0.09
        floor.answer(send)
    assert len(floor.state.workers) == 1


def two_workers(floor):
    floor.submit(2)
    start_all(floor, floor.wake())
    assert len(floor.node().workers) == 2
    answer_all(floor)
    assert floor.node().waiting == 0


def test_workers_beyond_the_least_go_after_they_had_nothing_to_do_for_long():
    floor = growing(idle_s=60.0)
    two_workers(floor)
    idle_since = floor.now
    floor.now += 30
    _, (send,) = floor.submit()
    floor.answer(send)
    commands = []
    while not commands:
        commands = floor.wake()
    (retire,) = commands
    assert isinstance(retire, RetireWorker)
    assert (floor.now, retire.worker) == (pytest.approx(idle_since + 60), ({1, 2} - {send.worker}).pop())
    assert floor.state.workers.keys() == {send.worker}
    assert floor.tell(events.worker_lost, retire.worker, "it ended") == []


def test_a_lost_worker_beyond_the_least_is_not_replaced_before_it_is_needed():
    floor = growing()
    two_workers(floor)
    assert floor.tell(events.worker_lost, next(iter(floor.state.workers)), "signal 9") == []
    assert len(floor.node().workers) == 1
    assert kinds(floor.tell(events.worker_lost, next(iter(floor.state.workers)), "signal 9")) == []
    (start,) = floor.wake()
    assert isinstance(start, StartWorker)


def test_failed_starts_are_repeated_for_as_long_as_the_archive_says():
    plan = plan_of("a", default=WorkerSettings(max_batch_delay_ms=0, timeout_ms=600_000))
    floor = Floor(plan=replace(plan, nodes=(replace(plan.nodes[0], max_retry_timeout_s=20.0),)))
    (worker,) = floor.state.workers
    run, _ = floor.submit()
    commands = floor.tell(events.worker_lost, worker, "signal 9", running=0)
    failed_at = None
    while not run.is_settled:
        for start in [command for command in commands if isinstance(command, StartWorker)]:
            failed_at = floor.now if failed_at is None else failed_at
            floor.tell(events.worker_failed, start.worker, LoadError("weights are gone", node="a"))
        if not run.is_settled:
            commands = floor.wake()
    assert 20 <= floor.now - failed_at <= 25
    assert run.error.message == "it cannot be loaded any more: weights are gone"


def test_a_node_whose_archive_forbids_it_gets_no_second_worker():
    plan = plan_of("a", default=WorkerSettings(max_batch_delay_ms=0))
    floor = Floor(plan=replace(plan, nodes=(replace(plan.nodes[0], max_retry_timeout_s=0.0),)))
    (worker,) = floor.state.workers
    assert floor.tell(events.worker_lost, worker, "signal 9", running=0) == []
    run, (settle,) = floor.submit()
    assert settle.run is run
    assert "forbids another" in run.error.message
