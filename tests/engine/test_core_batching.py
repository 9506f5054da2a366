"""When a batch is due: full, or old enough, never larger than allowed."""

from collections import deque
from math import inf

from fakes.plans import plan_of
from hypothesis import given
from hypothesis import strategies as st

from wfctl.engine.core.batching import plan_batch
from wfctl.engine.core.records import Attempt, CoreState, Run
from wfctl.spec.model import WorkerSettings


def waiting(times, **settings):
    state = CoreState(plan_of("a", default=WorkerSettings(**settings)), lambda: "id")
    node = state.nodes[0]
    run = Run(1, (), {}, lambda run: None)
    return deque(Attempt(number, (), "id", run, node, 1, time) for number, time in enumerate(times)), node


def test_an_empty_queue_is_never_due():
    assert plan_batch(*waiting([]), 5.0) == (0, inf)


def test_a_delay_of_nothing_sends_what_there_is():
    assert plan_batch(*waiting([5.0, 5.0], batch_size=8, max_batch_delay_ms=0), 5.0) == (2, inf)


def test_the_oldest_call_decides_when_to_look_again():
    assert plan_batch(*waiting([5.0, 5.75], batch_size=8, max_batch_delay_ms=1000), 5.9) == (0, 6.0)


def test_waiting_for_a_full_batch_leaves_half_of_the_time_out_for_the_answer():
    times = {"batch_size": 8, "max_batch_delay_ms": 5000, "timeout_ms": 5000}
    assert plan_batch(*waiting([5.0], **times), 5.0) == (0, 7.5)
    assert plan_batch(*waiting([5.0], **times), 7.5) == (1, inf)


@given(ages=st.lists(st.floats(0, 2), max_size=12), size=st.integers(1, 8), delay_ms=st.integers(0, 1500))
def test_a_batch_is_due_exactly_when_it_is_full_or_its_oldest_call_waited_long_enough(ages, size, delay_ms):
    now = 100.0
    queue, node = waiting(sorted(now - age for age in ages), batch_size=size, max_batch_delay_ms=delay_ms)
    before = list(queue)
    count, again_at = plan_batch(queue, node, now)
    assert list(queue) == before
    assert count <= size
    if count:
        assert count == min(len(queue), size)
        assert len(queue) >= size or queue[0].enqueued + delay_ms / 1000 <= now
    elif queue:
        assert now < again_at <= now + delay_ms / 1000
        assert plan_batch(queue, node, again_at)[0] == len(queue)
