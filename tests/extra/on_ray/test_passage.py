"""Calls that Ray forgets with a machine: it neither answers them nor says that they are lost."""

import asyncio

import pytest
from fakes.plans import plan_of

from wfctl.cluster.passage import Passage, Roads
from wfctl.cluster.passing import Answered, Passed
from wfctl.cluster.runs import ClusterRun
from wfctl.engine.call import NO_HEADERS, Face, Part
from wfctl.spec.model import WorkerSettings

PLAN = plan_of("a > b", default=WorkerSettings(timeout_ms=10, retry_attempts=0))


class Response:
    """What a handle gives: an answer once its parents have theirs, or one that never comes."""

    def __init__(self, passed, parents):
        self._passed, self._parents = passed, parents
        self.is_cancelled = False

    def __await__(self):
        for parent in self._parents:
            yield from parent.__await__()
        if self._passed is None:
            yield from asyncio.get_running_loop().create_future()
        return self._passed

    def cancel(self):
        self.is_cancelled = True


class Handle:
    """Forgets the first calls of a node."""

    def __init__(self, name, forgets):
        self.name, self.forgets, self.asked, self.responses = name, forgets, [], []

    def remote(self, asked, parts, *parents):
        del parts
        is_forgotten = len(self.asked) < self.forgets
        self.asked.append(asked)
        answer = Passed(Answered(self.name.encode(), 200, None, None), ())
        self.responses.append(Response(None if is_forgotten else answer, parents))
        return self.responses[-1]


def carried(forgets, *, is_loss_known=True, within_s=20.0):
    """Carry one run through; returns what the leaf passed on, and the handles."""
    handles = {name: Handle(name, forgets.get(name, 0)) for name in "ab"}

    async def main():
        roads = Roads(PLAN.nodes, handles, {"a": 0.01, "b": 0.02}, lambda _: None)
        headers = NO_HEADERS
        run = ClusterRun(1, (Part("body", b"x"),), headers, only=None, face=Face.NONE, limit_s=None, on_settled=print)
        passage = Passage(roads, run, is_hurried=False)

        async def lose():
            while True:
                await asyncio.sleep(0.2)  # other calls are lost again and again
                roads.note_loss("a")

        losing = asyncio.create_task(lose()) if is_loss_known else None
        try:
            async with asyncio.timeout(within_s) as clock:
                return await passage.carry(clock)
        finally:
            passage.give_up()
            if losing is not None:
                losing.cancel()

    return asyncio.run(main()), handles


@pytest.mark.parametrize("forgotten", ["a", "b"])
def test_a_call_that_was_forgotten_is_asked_again_alone(forgotten):
    ((leaf, passed),), handles = carried({forgotten: 1})
    assert (leaf, passed.answer.body) == ("b", b"b")
    assert [each.is_alone for each in handles[forgotten].asked][:2] == [False, True]
    assert handles[forgotten].responses[0].is_cancelled


def test_a_call_that_is_slow_is_left_alone_where_nothing_was_lost():
    with pytest.raises(TimeoutError):
        carried({"b": 1}, is_loss_known=False, within_s=3.0)
