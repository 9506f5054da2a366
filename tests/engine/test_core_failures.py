"""What follows when batches raise, workers die, times run out: who is to blame, and who is not."""

from dataclasses import replace
from math import inf

import pytest
from core_floor import Floor, kinds
from fakes.plans import plan_of

from wfctl.engine.call import WITHDRAWN, CallAnswer, CallError
from wfctl.engine.core import events
from wfctl.engine.core.commands import AskProgress, KillWorker, SendCalls, SettleRun, WithdrawCalls
from wfctl.errors import BadInputError, DeadlineExceededError, LoadError, RunError, UnloadableError
from wfctl.spec.model import WorkerSettings


def batch_of(floor, count):
    """Send one batch of ``count`` runs; returns the runs and the command."""
    runs = [floor.submit()[0] for _ in range(count - 1)]
    run, (send,) = floor.submit()
    assert len(send.calls) == count
    return [*runs, run], send


def fixed(size, **settings):
    return Floor(batch_size=size, max_batch_delay_ms=50, **settings)


def test_after_a_batch_raised_each_call_is_sent_alone_and_only_the_bad_one_fails():
    floor = fixed(3, retry_attempts=0)
    runs, send = batch_of(floor, 3)
    (first,) = floor.fail(send)
    assert first.calls == [runs[0].attempts[0]]
    settle, second = floor.answer(first, body=b"good")
    assert (settle.run, settle.run.error) == (runs[0], None)
    settle, third = floor.fail(second)
    assert settle.run is runs[1]
    assert (settle.run.error.message, settle.run.error.attempts) == ("boom", 1)
    (settle,) = floor.answer(third, body=b"good")
    assert (settle.run, settle.run.error) == (runs[2], None)


def test_a_refusal_raised_for_a_whole_batch_is_not_every_calls_refusal():
    floor = fixed(2)
    runs, send = batch_of(floor, 2)
    (alone,) = floor.fail(send, "no cat", is_final=True)
    settle, other = floor.fail(alone, "no cat", is_final=True)
    assert settle.run.error.attempts == 1
    (settle,) = floor.answer(other)
    assert (settle.run, settle.run.error) == (runs[1], None)


def test_what_one_call_of_a_batch_answers_for_itself_isolates_nobody():
    floor = fixed(2, retry_attempts=0)
    runs, send = batch_of(floor, 2)
    answers = [
        CallAnswer(send.calls[0].call_id, 503, error=CallError("not a value")),
        CallAnswer(send.calls[1].call_id, body=b"good"),
    ]
    commands = floor.tell(events.calls_answered, send.worker, answers)
    assert [command.run for command in commands] == runs
    assert runs[0].error.message == "not a value"


def test_a_retry_after_a_failure_alone_goes_alone_as_well():
    floor = fixed(2, retry_attempts=1)
    runs, send = batch_of(floor, 2)
    (alone,) = floor.fail(send)
    (other,) = floor.fail(alone)
    settle, again = floor.answer(other)
    assert again.calls == [runs[0].attempts[0]]
    assert again.calls[0].number == 2
    (settle,) = floor.fail(again)
    assert settle.run.error.attempts == 2


def test_a_node_that_does_not_isolate_sends_nothing_twice():
    plan = plan_of(
        "a", default=WorkerSettings(batch_size=2, retry_attempts=3, max_batch_delay_ms=50), is_adaptive=False
    )
    floor = Floor(plan=replace(plan, nodes=(replace(plan.nodes[0], isolates=False),)))
    runs, send = batch_of(floor, 2)
    assert [command.run for command in floor.fail(send)] == runs
    runs, send = batch_of(floor, 2)
    *settles, _ = floor.tell(events.worker_lost, send.worker, "signal 9", running=1)
    assert [settle.run.error.message for settle in settles] == ["the worker died: signal 9"] * 2


def test_the_third_death_of_a_worker_that_ran_one_call_alone_is_that_calls_failure():
    floor = Floor(retry_attempts=5, max_workers=3)
    run, (send,) = floor.submit()
    for _ in range(2):
        *_, send = floor.tell(events.worker_lost, send.worker, "signal 9", running=1)
        assert send.calls[0].number == 1
    settle, *_ = floor.tell(events.worker_lost, send.worker, "signal 9", running=1)
    assert settle.run is run
    assert settle.run.error.message == "the worker died 3 times while it ran this alone: signal 9"


def fast(**settings):
    """Return a floor whose node has shown that it is fast, so that calls are handed ahead."""
    floor = Floor(**settings)
    _, (send,) = floor.submit()
    floor.took(send, 0.00001)
    return floor


def test_of_what_a_dead_worker_held_only_what_it_ran_is_suspect():
    floor = fast(max_workers=1, retry_attempts=0)
    _, (send,) = floor.submit(5)
    assert [call.batch_id for call in send.calls] == [2, 3, 4, 5, 6]
    floor.tell(events.worker_lost, send.worker, "signal 9", running=4)
    node = floor.node()
    assert [call.call_id for call in node.alone] == [send.calls[2].call_id]
    assert list(node.queue) == [send.calls[at] for at in (0, 1, 3, 4)]
    assert [call.deaths for call in send.calls] == [0, 0, 1, 0, 0]


def test_a_worker_that_died_between_two_batches_makes_nobody_suspect():
    floor = fast()
    _, (send,) = floor.submit(3)
    floor.tell(events.worker_lost, send.worker, "signal 9", running=0)
    assert list(floor.node().queue) == send.calls


def test_a_number_that_is_no_batch_makes_the_oldest_suspect():
    floor = fast(retry_attempts=0)
    _, (send,) = floor.submit(3)
    floor.tell(events.worker_lost, send.worker, "signal 9", running=2**60)
    assert [call.deaths for call in send.calls] == [1, 0, 0]


def test_a_slow_node_holds_only_what_it_runs_and_a_fast_one_about_a_millisecond():
    floor = Floor()
    _, (send,) = floor.submit(9)
    assert len(send.calls) == 1
    (send,) = floor.took(send, 0.0002)[1:]
    assert (floor.node().credit, len(send.calls)) == (6, 6)
    floor.took(send, 0.05)
    assert floor.node().credit == 1


def test_no_worker_gets_a_second_batch_while_another_has_none():
    floor = fast(max_workers=3)
    _, sends = floor.submit(7)
    assert sorted(len(send.calls) for send in sends) == [2, 2, 3]


def test_what_a_silent_worker_has_not_begun_goes_to_another():
    floor = fast(max_workers=2)
    _, sends = floor.submit(6)
    silent, other = sends
    floor.took(other, 0.00001)
    (ask,) = floor.wake()
    assert isinstance(ask, AskProgress)
    assert ask.worker == silent.worker
    withdraw, send = floor.tell(events.progress_told, silent.worker, silent.calls[0].batch_id)
    assert isinstance(withdraw, WithdrawCalls)
    assert list(withdraw.call_ids) == [call.call_id for call in silent.calls[1:]]
    assert (send.worker, send.calls) == (other.worker, silent.calls[1:])
    # The silent one says so too once it comes back, and nothing follows.
    answers = [CallAnswer(call_id, WITHDRAWN) for call_id in withdraw.call_ids]
    assert floor.tell(events.calls_answered, silent.worker, answers) == []
    assert floor.state.stray_answers == 0
    assert len(floor.answer(send)) == 2


def test_a_cancelled_run_is_taken_back_from_a_worker_that_has_not_begun_it():
    floor = fast()
    run, (send,) = floor.submit(3)
    (withdraw,) = floor.tell(events.run_cancelled, run)
    assert (withdraw.worker, list(withdraw.call_ids)) == (send.worker, [send.calls[2].call_id])
    floor.tell(events.calls_answered, send.worker, [CallAnswer(send.calls[2].call_id, WITHDRAWN)])
    assert floor.state.late_answers == 0
    first = floor.state.runs[2]
    assert floor.tell(events.run_cancelled, first) == []  # it may be running


def test_retries_of_all_nodes_together_have_a_budget():
    floor = Floor(" > ".join("abcdefghijkl"), retry_attempts=3)
    run, (send,) = floor.submit()
    failures = 0
    while run.error is None:
        (command,) = floor.fail(send)
        failures += 1
        if isinstance(command, SettleRun):
            break
        send = command if failures % 2 == 0 else floor.answer(command)[0]
    assert run.retries == 10
    assert failures == 11


def test_one_node_may_use_all_the_retries_it_was_given():
    floor = Floor(retry_attempts=40)
    _, (send,) = floor.submit()
    for _ in range(40):
        (send,) = floor.fail(send)
        assert isinstance(send, SendCalls)
    (settle,) = floor.fail(send)
    assert settle.run.error.attempts == 41


def test_a_runs_own_deadline_ends_it_wherever_it_is_and_withdraws_its_work():
    floor = Floor("a > b", timeout_ms=10_000)
    run, (send,) = floor.submit(limit_s=1.5)
    floor.now += 1
    (onward,) = floor.answer(send)
    other, _ = floor.submit()
    (settle,) = floor.wake()
    assert settle.run is run
    assert isinstance(run.error, DeadlineExceededError)
    assert run.error.message == 'the run was not done after 1.5 s; it was at node "b"'
    assert floor.now == pytest.approx(101.5, abs=0.01)
    assert floor.answer(onward) == []
    assert floor.state.late_answers == 1
    assert not other.is_settled


def test_deadlines_of_runs_that_are_done_do_not_pile_up():
    floor = Floor()
    slow, _ = floor.submit(limit_s=5000)
    for _ in range(3000):
        run, _ = floor.submit(limit_s=3600)
        floor.tell(events.run_cancelled, run)
    assert len(floor.state.deadlines) < 1100
    while not slow.is_settled:
        floor.wake()
    assert isinstance(slow.error, DeadlineExceededError)


def test_a_deadline_of_a_run_that_is_done_is_nobodys():
    floor = Floor()
    _, (send,) = floor.submit(limit_s=1.5)
    floor.answer(send)
    assert floor.wake() == []
    assert floor.state.wake_at == inf


def test_a_worker_gets_no_longer_than_the_response_timeout_of_its_archive():
    plan = plan_of("a", default=WorkerSettings(max_batch_delay_ms=0))
    floor = Floor(plan=replace(plan, nodes=(replace(plan.nodes[0], response_timeout_s=2.0),)))
    _, (send,) = floor.submit()
    (kill,) = floor.wake()
    assert isinstance(kill, KillWorker)
    assert (kill.worker, floor.now) == (send.worker, 102.0)


def test_a_refusal_says_when_the_queue_will_have_been_worked_off():
    floor = Floor(queue_size=4, max_workers=2)
    _, sends = floor.submit(2)
    floor.took(sends[0], 3.0)
    floor.submit(1)
    run, (settle,) = floor.submit(5)
    assert isinstance(settle, SettleRun)
    assert run.error.retry_after_s == 6  # four calls, three seconds each, two workers
    floor.node().batch_time_s = 1000.0
    assert floor.submit()[0].error.retry_after_s == 60
    floor.node().batch_time_s = 0.0
    assert floor.submit()[0].error.retry_after_s == 1


def test_a_failure_in_the_queue_names_what_cannot_be_loaded():
    floor = Floor(timeout_ms=1000, retry_attempts=0)
    (worker,) = floor.state.workers
    (start,) = floor.tell(events.worker_lost, worker, "signal 9")
    run, _ = floor.submit()
    floor.tell(events.worker_failed, start.worker, RunError("weights are gone", node="a", attempts=1))
    while not run.is_settled:
        commands = floor.wake()
        for command in commands:
            if kinds([command]) == ["StartWorker"]:
                floor.tell(events.worker_failed, command.worker, RunError("weights are gone", node="a", attempts=1))
    assert isinstance(run.error, UnloadableError)
    assert "none loads at present: weights are gone" in run.error.message


def test_what_a_silent_worker_is_done_with_and_has_not_told_goes_to_another_as_well():
    floor = fast(max_workers=2)
    _, sends = floor.submit(8)
    silent, other = sends
    floor.took(other, 0.00001)
    floor.wake()
    withdraw, send = floor.tell(events.progress_told, silent.worker, silent.calls[2].batch_id)
    assert [call.call_id for call in send.calls] == [silent.calls[at].call_id for at in (0, 1, 3)]
    # Its own answers come late, then: the other's count.
    told = [CallAnswer(call_id, body=b"mine") for call_id in withdraw.call_ids[:2]]
    assert floor.tell(events.calls_answered, silent.worker, told) == []
    assert (floor.state.late_answers, floor.state.stray_answers) == (2, 0)
    assert len(floor.answer(send)) == 3


def test_a_silent_worker_is_handed_nothing_ahead_until_it_has_spoken():
    floor = fast(max_workers=2)
    _, (silent, other) = floor.submit(8)
    floor.took(other, 0.00001)
    floor.wake()
    withdraw, send = floor.tell(events.progress_told, silent.worker, silent.calls[0].batch_id)
    _, (more,) = floor.submit(5)
    assert more.worker == send.worker == other.worker
    floor.tell(events.calls_answered, silent.worker, [CallAnswer(each, WITHDRAWN) for each in withdraw.call_ids])
    assert {each.worker for each in floor.submit(40)[1]} == {silent.worker, other.worker}


def test_a_worker_stuck_under_load_is_asked_though_no_other_is_free():
    floor = fast(max_workers=2)
    _, (stuck, other) = floor.submit(8)
    for _ in range(4):
        _, _ = floor.submit(1)
        floor.now += 0.03
        others = next(iter(floor.worker(other).calls.values()))
        answer = CallAnswer(others.call_id, started_ns=1, finished_ns=1000)
        commands = floor.tell(events.calls_answered, other.worker, [answer])
        if "AskProgress" in kinds(commands):
            break
    assert kinds(commands)[-1] == "AskProgress"
    assert commands[-1].worker == stuck.worker
    withdraw, *_ = floor.tell(events.progress_told, stuck.worker, stuck.calls[0].batch_id)
    assert len(withdraw.call_ids) >= 3


def test_after_a_batch_timed_out_at_a_worker_each_call_is_tried_again_alone():
    floor = Floor(batch_size=3, max_workers=2, timeout_ms=1000)
    floor.submit(3)
    sends = [each for each in floor.wake() if each.__class__.__name__ == "SendCalls"]
    assert [(len(send.calls), send.calls[0].number) for send in sends] == [(1, 2)]
    assert len(floor.node().alone) == 2


def test_a_batch_waits_no_longer_for_a_run_that_failed_because_its_node_was_given_up():
    patient = WorkerSettings(batch_size=2, max_batch_delay_ms=1000)
    plan = plan_of("a > b, x > z", default=patient, is_adaptive=True)
    floor = Floor(plan=replace(plan, nodes=tuple(replace(node, max_retry_timeout_s=60) for node in plan.nodes)))
    _, (to_a, to_x) = floor.submit()
    floor.answer(to_x)
    (start,) = floor.tell(events.worker_lost, to_x.worker, "signal 9")
    floor.submit()  # waits at both entries
    floor.answer(to_a)
    assert floor.node("b").waiting == 1, "waits for the second, which is at its parent"
    floor.node("x").failing_since = floor.now - 60
    commands = floor.tell(events.worker_failed, start.worker, LoadError("no weights", node="x"))
    assert [call.node.name for send in commands if isinstance(send, SendCalls) for call in send.calls] == ["b"]


def test_what_a_worker_says_of_a_call_taken_back_is_not_said_of_the_same_call_sent_again():
    floor = fast(max_workers=2)
    _, (silent, other) = floor.submit(4)
    floor.took(other, 0.00001)
    floor.wake()
    withdraw, again = floor.tell(events.progress_told, silent.worker, silent.calls[0].batch_id)
    assert again.worker == other.worker
    # The other dies, and the silent one comes back from its batch before it has read what was taken from it.
    floor.tell(events.worker_lost, other.worker, "signal 9", running=0)
    commands = floor.answer(SendCalls(silent.worker, silent.calls[:1]))
    assert not [each for each in commands if isinstance(each, SendCalls)], "it has not spoken of the first copy yet"
    told = [CallAnswer(call_id, WITHDRAWN) for call_id in withdraw.call_ids]
    (send,) = floor.tell(events.calls_answered, silent.worker, told)
    assert [call.call_id for call in send.calls] == list(withdraw.call_ids)
    assert len(floor.answer(send)) == len(withdraw.call_ids)


def test_who_timed_out_behind_another_batch_was_waiting_and_is_said_to():
    floor = fast(retry_attempts=0, timeout_ms=1000)
    floor.submit()
    floor.submit(2)
    runs = []
    while not runs:
        runs = [command.run for command in floor.wake() if isinstance(command, SettleRun)]
    assert [run.error.was_waiting for run in runs] == [False, True, True]
    assert "the handler did not answer" in runs[0].error.message
    assert "no worker was free for it" in runs[1].error.message


@pytest.mark.parametrize(("waited_s", "was_waiting"), [(0.9, True), (0.4, False)])
def test_who_got_its_worker_when_most_of_its_time_was_gone_was_waiting(waited_s, was_waiting):
    floor = Floor(retry_attempts=0, timeout_ms=1000)
    _, (first,) = floor.submit()
    run, _ = floor.submit()
    floor.took(first, waited_s)
    while not run.is_settled:
        floor.wake()
    assert run.error.was_waiting == was_waiting
    assert ("no worker was free for it" in run.error.message) == was_waiting


def test_an_input_that_no_handler_saw_says_nothing_about_the_node():
    floor = Floor(retry_attempts=0)
    run, (send,) = floor.submit()
    floor.node().crashes = 2
    floor.answer(send, status=400, error=CallError("no JSON", status=400, is_final=True, is_of_input=True))
    assert isinstance(run.error, BadInputError)
    assert (floor.node().crashes, floor.node().failed, floor.node().batch_time_s) == (2, 0, 0.0)
