"""When a batch is due: full, or old enough, or nobody on the way; never larger than allowed."""

from collections import deque
from dataclasses import replace
from math import inf

from fakes.plans import plan_of
from hypothesis import given
from hypothesis import strategies as st

from wfctl.engine.call import NO_HEADERS, RequestIds
from wfctl.engine.core.batching import expects_until, plan_batch
from wfctl.engine.core.records import Attempt, Run
from wfctl.engine.core.staffing import start_worker
from wfctl.engine.core.state import CoreState
from wfctl.spec.model import WorkerSettings

IDS = RequestIds("0" * 32)


def core(edges="a", *, is_adaptive=False, **settings):
    plan = plan_of(edges, default=WorkerSettings(**settings))
    return CoreState(replace(plan, is_adaptive=is_adaptive), IDS)


def attempts(node, times):
    run = Run(1, NO_HEADERS, lambda run: None)
    return deque(Attempt(number, (), run, node, 1, time) for number, time in enumerate(times))


def waiting(times, *, at=0, **settings):
    node = core(**settings).nodes[at]
    return attempts(node, times), node


def plan(queue, node, now, *, is_free=True, others=0):
    return plan_batch(queue, node, now, is_free=is_free, others=others)


def test_an_empty_queue_is_never_due():
    assert plan(*waiting([]), 5.0) == (0, inf)


def test_a_delay_of_nothing_sends_what_there_is():
    assert plan(*waiting([5.0, 5.0], batch_size=8, max_batch_delay_ms=0), 5.0) == (2, inf)


def test_the_oldest_call_decides_when_to_look_again():
    assert plan(*waiting([5.0, 5.75], batch_size=8, max_batch_delay_ms=1000), 5.9) == (0, 6.0)


def test_waiting_for_a_full_batch_leaves_half_of_the_time_out_for_the_answer():
    times = {"batch_size": 8, "max_batch_delay_ms": 5000, "timeout_ms": 5000}
    assert plan(*waiting([5.0], **times), 5.0) == (0, 7.5)
    assert plan(*waiting([5.0], **times), 7.5) == (1, inf)


@given(ages=st.lists(st.floats(0, 2), max_size=12), size=st.integers(1, 8), delay_ms=st.integers(0, 1500))
def test_a_fixed_batch_is_due_exactly_when_it_is_full_or_its_oldest_call_waited_long_enough(ages, size, delay_ms):
    now = 100.0
    queue, node = waiting(sorted(now - age for age in ages), batch_size=size, max_batch_delay_ms=delay_ms)
    before = list(queue)
    count, again_at = plan(queue, node, now)
    assert list(queue) == before
    assert count <= size
    if count:
        assert count == min(len(queue), size)
        assert len(queue) >= size or queue[0].enqueued + delay_ms / 1000 <= now
    elif queue:
        assert now < again_at <= now + delay_ms / 1000
        assert plan(queue, node, again_at)[0] == len(queue)


ADAPTIVE = {"edges": "a > b > c", "is_adaptive": True, "batch_size": 8, "max_batch_delay_ms": 1000}


def test_an_adaptive_batch_goes_at_once_if_nobody_else_is_on_the_way():
    queue, node = waiting([5.0], at=1, **ADAPTIVE)
    assert plan(queue, node, 5.0, others=0) == (1, inf)


def test_an_adaptive_batch_waits_for_runs_that_may_arrive_in_time():
    state = core(**ADAPTIVE)
    a, b, _ = state.nodes
    queue = attempts(b, [5.0])
    a.queue = attempts(a, [5.0])
    assert plan(queue, b, 5.0, others=1) == (0, 6.0)
    assert plan(queue, b, 6.0, others=1) == (1, inf)


def test_an_adaptive_batch_does_not_wait_for_what_will_come_too_late():
    state = core(**ADAPTIVE)
    a, b, c = state.nodes
    a.queue = attempts(a, [5.0])
    a.batch_time_s = 1.5
    assert plan(attempts(b, [5.0]), b, 5.0, others=1) == (1, inf)
    # What is only two nodes away has the way through both of them before it.
    a.batch_time_s = b.batch_time_s = 0.6
    assert plan(attempts(c, [5.0]), c, 5.0, others=1) == (1, inf)
    count, look_at = plan(attempts(b, [5.0]), b, 5.0, others=1)
    assert (count, round(look_at, 9)) == (0, 5.4)
    assert plan(attempts(b, [5.0]), b, look_at, others=1) == (1, inf)


def test_others_are_expected_by_what_has_been_at_work_longest_and_has_its_way_before_it():
    state = core(**ADAPTIVE)
    a, b, c = state.nodes
    assert expects_until(b, 5.0) == -inf
    a.batch_time_s, b.batch_time_s = 0.5, 0.25
    start_worker(state, a, [])
    (worker,) = a.workers.values()
    for attempt in attempts(a, [4.0, 4.9]):
        attempt.sent = attempt.enqueued
        worker.calls[attempt.call_id] = attempt
    assert expects_until(b, 4.4) == -inf
    assert expects_until(b, 4.5) == 4.5
    assert expects_until(b, 5.0) == 5.0  # overdue: it may come at any moment
    assert expects_until(c, 5.0) == 4.75


def test_a_busy_worker_gets_ahead_only_what_is_full_or_late():
    queue, node = waiting([5.0] * 7, at=1, **ADAPTIVE)
    assert plan(queue, node, 5.0, is_free=False) == (0, 6.0)
    assert plan(queue, node, 6.0, is_free=False) == (7, inf)
    assert plan(attempts(node, [5.0] * 9), node, 5.0, is_free=False) == (8, inf)


def test_an_adaptive_batch_of_an_entry_waits_only_while_no_worker_is_free():
    """Nobody is ever on the way to an entry: a run is there from the moment that it is submitted."""
    state = core(**ADAPTIVE)
    a = state.nodes[0]
    assert plan(attempts(a, [5.0]), a, 5.0, others=3) == (1, inf)
    assert plan(attempts(a, [5.0]), a, 5.0, is_free=False, others=3) == (0, 6.0)
