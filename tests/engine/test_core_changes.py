"""A workflow that is changed while it runs: one node asked by itself, other numbers of workers, other code."""

import pytest
from core_floor import BODY, Floor, kinds

from wfctl.engine.call import NO_HEADERS, CallAnswer
from wfctl.engine.core import changes, events
from wfctl.engine.core.commands import RetireWorker, SendCalls, SettleRun, StartWorker
from wfctl.engine.core.outcome import run_result
from wfctl.errors import LoadError


def ask(floor, name):
    run, commands = events.run_submitted(
        floor.state, BODY, NO_HEADERS, floor.settled.append, floor.now, only=floor.node(name)
    )
    return run, commands + floor.tell(events.turn_ended)


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_one_node_is_asked_as_an_entry_and_answers_as_a_leaf(name):
    floor = Floor("a > b > c, a > c")
    run, (send,) = ask(floor, name)
    (call,) = send.calls
    assert (call.node.name, call.input, call.stands_alone, call.as_json) == (name, BODY, True, False)
    (settled,) = floor.answer(send, body=b"y")
    assert isinstance(settled, SettleRun)
    assert run_result(floor.state, run).body == b"y"
    assert not floor.state.runs


def test_one_of_several_leaves_that_is_asked_by_itself_need_not_be_json():
    floor = Floor("a > b, a > c")
    _, (send,) = ask(floor, "c")
    assert not send.calls[0].as_json
    _, (whole,) = floor.submit()
    assert not whole.calls[0].stands_alone


def test_no_batch_waits_for_a_run_that_asks_another_node():
    floor = Floor("a > b", is_adaptive=True, batch_size=4, max_batch_delay_ms=1000)
    _, (first,) = floor.submit()
    floor.took(first, 0.001)  # so that the times of the node are known
    _, (direct,) = ask(floor, "a")
    _, more = floor.submit()
    assert not any(isinstance(each, SendCalls) and each.calls[0].node.name == "b" for each in more)
    assert direct.calls[0].node.name == "a"


def test_more_workers_are_started_at_once_and_fewer_end_at_once():
    floor = Floor("a", max_workers=1)
    commands = floor.tell(changes.scaled, floor.node(), 3, 3)
    assert kinds(commands) == ["StartWorker", "StartWorker"]
    for start in commands:
        floor.tell(events.worker_ready, start.worker, 1)
    assert len(floor.node().free) == 3
    commands = floor.tell(changes.scaled, floor.node(), 1, 1)
    assert kinds(commands) == ["RetireWorker", "RetireWorker"]
    assert floor.node().staff == 1


def test_a_busy_worker_that_is_too_many_answers_first_and_gets_nothing_more():
    floor = Floor("a", max_workers=2)
    _, sends = floor.submit(2)
    assert not floor.tell(changes.scaled, floor.node(), 1, 1)
    assert floor.node().beside == 1
    leaving = next(each for each in floor.node().workers.values() if each.state.value == "leaving")
    (its,) = (send for send in sends if send.worker == leaving.worker_id)
    floor.submit()
    commands = floor.answer(its)
    assert [type(each) for each in commands if not isinstance(each, SettleRun)] == [RetireWorker]
    (other,) = (send for send in sends if send is not its)
    (next_send,) = [each for each in floor.answer(other) if isinstance(each, SendCalls)]
    assert next_send.worker == other.worker


def test_workers_that_load_are_given_up_before_those_that_work():
    floor = Floor("a", max_workers=1)
    _, (send,) = floor.submit()
    (start,) = floor.tell(changes.scaled, floor.node(), 2, 2)
    (retire,) = floor.tell(changes.scaled, floor.node(), 1, 1)
    assert retire.worker == start.worker
    (retire,) = floor.tell(events.worker_ready, start.worker, 1)  # news that comes too late
    assert (type(retire), retire.worker) == (RetireWorker, start.worker)
    assert kinds(floor.answer(send)) == ["SettleRun"]


def test_a_node_without_workers_gets_one_when_it_is_asked():
    floor = Floor("a", max_workers=1)
    floor.tell(changes.scaled, floor.node(), 0, 1)
    assert floor.node().staff == 1  # idle, and goes when it has been for long enough
    (retire,) = floor.wake()
    assert isinstance(retire, RetireWorker)
    floor.submit()
    (start,) = floor.wake()
    assert isinstance(start, StartWorker)
    assert kinds(floor.tell(events.worker_ready, start.worker, 1)) == ["SendCalls"]


def test_a_node_that_was_given_up_gets_another_chance():
    floor = Floor("a")
    node = floor.node()
    node.load_error = LoadError("no weights", node="a")
    floor.tell(events.worker_lost, next(iter(node.workers)), "signal 9")
    assert kinds(floor.tell(changes.scaled, node, 1, 1)) == ["StartWorker"]
    assert node.load_error is None


def test_other_code_is_tried_in_one_worker_and_takes_the_place_of_all():
    floor = Floor("a", max_workers=2)
    _, (first, _) = floor.submit(2)
    (trial,) = floor.tell(changes.code_changed, floor.node())
    assert floor.node().edition == 0
    commands = floor.tell(events.worker_ready, trial.worker, 7)
    assert kinds(commands) == ["StartWorker"]  # the second of the new ones
    assert floor.node().edition == 1
    assert floor.node().beside == 2
    _, sends = floor.submit()
    assert [send.worker for send in sends] == [trial.worker]
    assert kinds(floor.answer(first)) == ["SettleRun", "RetireWorker"]


def test_code_that_does_not_load_changes_nothing():
    floor = Floor("a")
    before = set(floor.node().workers)
    (trial,) = floor.tell(changes.code_changed, floor.node())
    assert not floor.tell(events.worker_failed, trial.worker, LoadError("SyntaxError", node="a"))
    assert set(floor.node().workers) == before
    assert floor.node().last_failure is None
    _, sends = floor.submit()
    assert len(sends) == 1


def test_a_worker_that_leaves_and_does_not_come_back_is_killed():
    floor = Floor("a", timeout_ms=100, retry_attempts=0)
    _, (send,) = floor.submit()
    (trial,) = floor.tell(changes.code_changed, floor.node())
    floor.tell(events.worker_ready, trial.worker, 7)
    ended = []
    while not any(kind == "KillWorker" for kind in ended):
        ended += kinds(floor.wake())
    assert "SettleRun" in ended
    floor.tell(events.worker_lost, send.worker, "killed")
    assert list(floor.node().workers) == [trial.worker]
    assert not floor.tell(events.calls_answered, send.worker, [CallAnswer(send.calls[0].call_id)])


def test_what_a_leaving_worker_was_handed_ahead_goes_to_the_others():
    floor = Floor("a", max_workers=2)
    _, sends = floor.submit(2)
    for send in sends:
        floor.took(send, 0.00001)  # fast: from now on calls are handed ahead
    _, sends = floor.submit(40)
    floor.tell(changes.scaled, floor.node(), 1, 1)
    leaving = next(each for each in floor.node().workers.values() if each.state.value == "leaving")
    (others,) = (send for send in sends if send.worker != leaving.worker_id)
    floor.answer(others)
    commands = floor.wake()
    assert "AskProgress" in kinds(commands)
    first = next(iter(leaving.calls.values()))
    commands = floor.tell(events.progress_told, leaving.worker_id, first.batch_id)
    assert kinds(commands)[:2] == ["WithdrawCalls", "SendCalls"]


def test_a_worker_that_is_killed_on_its_way_out_is_nobodys_loss():
    floor = Floor("a", timeout_ms=100, retry_attempts=0)
    floor.node().max_retry_s = 0.0
    floor.submit()
    (trial,) = floor.tell(changes.code_changed, floor.node())
    floor.tell(events.worker_ready, trial.worker, 7)
    old = next(each for each in floor.node().workers.values() if each.is_going)
    while old.state.value != "killed":
        floor.wake()
    assert not floor.tell(events.worker_lost, old.worker_id, "killed")
    assert floor.node().load_error is None
    assert floor.node().staff == 1
