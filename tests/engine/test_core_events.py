"""Single decisions of the core, event by event, with the clock in hand."""

from dataclasses import replace
from math import inf

import pytest
from core_floor import Floor, kinds
from fakes.plans import plan_of

from wfctl.engine.backend import WorkerId
from wfctl.engine.call import CallAnswer, CallError, RequestIds
from wfctl.engine.core import events
from wfctl.engine.core.commands import (
    KillWorker,
    SendCalls,
    SettleRun,
    StartWorker,
)
from wfctl.engine.core.outcome import run_result
from wfctl.engine.core.state import CoreState
from wfctl.errors import DeadlineExceededError, LoadError, RunError
from wfctl.spec.model import WorkerSettings


def test_opening_asks_for_all_workers_of_all_nodes():
    floor = Floor("a > b", ready=False, max_workers=2)
    assert [(worker.node.name) for worker in floor.state.workers.values()] == ["a", "a", "b", "b"]


def test_nothing_is_sent_before_a_worker_is_ready():
    floor = Floor(ready=False)
    _, commands = floor.submit()
    assert commands == []
    assert kinds(floor.tell(events.worker_ready, WorkerId(1), 7)) == ["SendCalls"]


def test_a_full_batch_goes_at_once_and_a_part_after_the_delay():
    floor = Floor(batch_size=2, max_batch_delay_ms=50, max_workers=2)
    assert floor.submit()[1] == []
    (send,) = floor.submit()[1]
    assert len(send.calls) == 2
    assert floor.submit()[1] == []
    assert floor.state.wake_at == pytest.approx(100.05)
    (send,) = floor.wake()
    assert (len(send.calls), floor.now) == (1, pytest.approx(100.05))


def test_what_one_batch_answers_goes_on_as_one_batch():
    floor = Floor("a > b", batch_size=3, max_batch_delay_ms=10)
    floor.submit()
    floor.submit()
    (send,) = floor.submit()[1]
    (onward,) = floor.answer(send)
    assert [call.node.name for call in onward.calls] == ["b", "b", "b"]


def test_the_worker_used_last_is_used_first():
    floor = Floor(max_workers=3)
    (first,) = floor.submit()[1]
    (second,) = floor.submit()[1]
    floor.answer(second)
    floor.answer(first)
    (third,) = floor.submit()[1]
    assert third.worker == first.worker


def test_a_call_timed_out_in_the_queue_is_withdrawn_and_queued_anew():
    floor = Floor(timeout_ms=1000)
    (send,) = floor.submit()[1]
    floor.now += 0.5
    waiting, _ = floor.submit()
    floor.now = 101.4
    floor.answer(send, body=b"late is fine while nobody looked")
    floor = Floor(ready=False, timeout_ms=1000)
    waiting, _ = floor.submit()
    first = waiting.attempts[0]
    floor.wake()
    second = waiting.attempts[0]
    assert (first.number, second.number, floor.now) == (1, 2, 101.0)
    assert list(floor.node().queue) == [second]
    (settle,) = floor.wake()
    assert isinstance(settle.run.error, DeadlineExceededError)
    assert "no worker was free" in settle.run.error.message
    assert settle.run.error.attempts == 2


def test_an_expired_call_is_never_sent():
    floor = Floor(ready=False, timeout_ms=1000, retry_attempts=0)
    floor.submit()
    floor.now += 1.0
    commands = floor.tell(events.worker_ready, WorkerId(1), 1)
    assert kinds(commands) == ["SettleRun"]


def test_a_call_timed_out_in_a_worker_is_abandoned_and_its_late_answer_dropped():
    floor = Floor(timeout_ms=1000, max_workers=2)
    run, (send,) = floor.submit()
    (again,) = floor.wake()
    assert again.worker != send.worker
    assert floor.answer(send, body=b"late") == []
    assert floor.state.late_answers == 1
    (settle,) = floor.answer(again, body=b"good")
    assert settle.run is run
    assert run_result(floor.state, run).body == b"good"


def test_a_worker_still_busy_a_timeout_later_is_killed_and_replaced():
    floor = Floor(timeout_ms=1000, retry_attempts=0)
    _, (send,) = floor.submit()
    assert kinds(floor.wake()) == ["SettleRun"]
    (kill,) = floor.wake()
    assert isinstance(kill, KillWorker)
    assert (kill.worker, floor.now) == (send.worker, 102.0)
    assert floor.state.wake_at == inf
    (start,) = floor.tell(events.worker_lost, kill.worker, "killed")
    assert isinstance(start, StartWorker)
    assert start.worker != kill.worker


def test_a_worker_killed_for_silence_takes_no_more_work():
    floor = Floor(timeout_ms=1000, retry_attempts=0)
    _, (send,) = floor.submit()
    floor.wake()
    floor.wake()
    assert floor.answer(send) == []
    assert floor.submit()[1] == []


def test_a_call_whose_worker_died_is_sent_again_alone_and_costs_no_attempt():
    floor = Floor(retry_attempts=0, max_workers=2)
    run, (send,) = floor.submit()
    start, again = floor.tell(events.worker_lost, send.worker, "signal 9")
    assert isinstance(start, StartWorker)
    assert again.calls == [run.attempts[0]]
    assert run.attempts[0].number == 1
    (settle,) = floor.answer(again, body=b"good")
    assert settle.run.error is None


def test_replacements_back_off_until_the_node_answers_again():
    floor = Floor(retry_attempts=0)
    waits = []
    for _ in range(7):
        (worker,) = floor.state.workers
        commands = floor.tell(events.worker_lost, worker, "signal 11")
        lost_at = floor.now
        while not any(isinstance(command, StartWorker) for command in commands):
            commands = floor.wake()
        waits.append(floor.now - lost_at)
        floor.tell(events.worker_ready, commands[-1].worker, 1)
    assert waits == [0, 1, 1, 2, 3, 5, 5]
    _, (send,) = floor.submit()
    floor.answer(send)
    assert kinds(floor.tell(events.worker_lost, send.worker, "signal 11")) == ["StartWorker"]


def test_a_node_that_cannot_be_loaded_any_more_fails_its_runs_with_the_reason():
    floor = Floor("a > b", timeout_ms=600_000)
    waiting, (send,) = floor.submit()
    (worker,) = floor.node("b").workers
    (start,) = floor.tell(events.worker_lost, worker, "signal 11")
    floor.answer(send)
    error = LoadError("weights are gone", node="b", traceback_text="Traceback ...")
    commands = []
    while not waiting.is_settled:
        floor.tell(events.worker_failed, start.worker, error)
        while not waiting.is_settled and not commands:
            commands = [command for command in floor.wake() if isinstance(command, StartWorker)]
        if commands:
            start = commands.pop()
    assert isinstance(waiting.error, RunError)
    assert "weights are gone" in waiting.error.message
    assert (waiting.error.node, waiting.error.traceback_text) == ("b", "Traceback ...")
    run, (send,) = floor.submit()
    floor.answer(send)
    assert "weights are gone" in run.error.message


def test_a_failed_run_leaves_the_other_queues_and_workers():
    floor = Floor("a > b, a > c", retry_attempts=0)
    busy, (send,) = floor.submit()
    floor.answer(send)  # b and c are busy with this one now
    run, (send,) = floor.submit()
    floor.answer(send)
    assert len(floor.node("b").queue) == len(floor.node("c").queue) == 1
    error = CallError("boom", is_final=True)
    (at_b,) = floor.node("b").workers.values()
    (call,) = at_b.calls.values()
    settle, send = floor.tell(events.calls_answered, at_b.worker_id, [CallAnswer(call.call_id, error=error)])
    assert settle.run is busy
    assert send.calls == [run.attempts[1]]
    (at_c,) = floor.node("c").workers.values()
    (abandoned,) = at_c.calls.values()
    assert not abandoned.is_live


def test_unknown_and_repeated_answers_are_counted_and_change_nothing():
    floor = Floor(batch_size=2, max_workers=1)
    _, (send,) = floor.submit()
    floor.tell(events.calls_answered, send.worker, [CallAnswer(99)])
    floor.tell(events.calls_answered, WorkerId(99), [CallAnswer(send.calls[0].call_id)])
    assert kinds(floor.answer(send)) == ["SettleRun"]
    assert floor.answer(send) == []
    assert floor.state.stray_answers == 3


def test_news_of_a_worker_that_is_gone_is_ignored():
    floor = Floor(ready=False)
    floor.tell(events.worker_lost, WorkerId(1), "signal 9")
    assert kinds(floor.tell(events.worker_ready, WorkerId(1), 5)) == ["RetireWorker"]  # should it be there after all
    assert floor.tell(events.worker_failed, WorkerId(1), LoadError("x", node="a")) == []
    assert floor.tell(events.worker_lost, WorkerId(1), "again") == []


def test_a_slow_node_further_down_refuses_new_runs_as_well():
    floor = Floor("a > b", queue_size=1)
    for _ in range(2):
        floor.answer(floor.submit()[1][0])
    run, (settle,) = floor.submit()
    assert isinstance(settle, SettleRun)
    assert run.error.message == '1 calls wait for node "b"'


def test_a_node_may_have_a_queue_size_of_its_own():
    plan = plan_of("a > b", default=WorkerSettings(max_batch_delay_ms=0), queue_size=1000)
    first, second = plan.nodes
    floor = Floor("a > b")
    floor.state = CoreState(replace(plan, nodes=(first, replace(second, queue_size=1))), RequestIds("0" * 32))
    for start in events.opened(floor.state):
        floor.tell(events.worker_ready, start.worker, 1)
    for _ in range(2):
        floor.answer(floor.submit()[1][0])
    run, _ = floor.submit()
    assert run.error.message == '1 calls wait for node "b"'


def test_closing_refuses_new_runs_and_finishes_the_old():
    floor = Floor("a > b")
    _, (send,) = floor.submit()
    floor.tell(events.closing_began)
    assert kinds(floor.submit()[1]) == ["SettleRun"]
    (onward,) = floor.answer(send)
    assert isinstance(onward, SendCalls)
    assert kinds(floor.answer(onward)) == ["SettleRun"]
    assert floor.tell(events.worker_lost, onward.worker, "closing") == []
