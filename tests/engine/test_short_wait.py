"""The loop stays awake for a moment, and only for that."""

import asyncio
import os

from fakes.loops import on_a_loop

from wfctl.engine.short_wait import ShortWait


class Turns:
    """Counts the turns of a loop and what they were given to sleep."""

    def __init__(self, loop):
        self.sleeps = []
        """Seconds, one a turn."""
        selector = loop._selector
        self._select = selector.select
        selector.select = self._note

    def _note(self, timeout=None):
        self.sleeps.append(timeout)
        return self._select(timeout)


@on_a_loop
async def test_the_loop_looks_without_sleep_for_a_moment_and_then_sleeps():
    loop = asyncio.get_running_loop()
    turns = Turns(loop)
    waits = ShortWait(loop)
    waits.begin()
    waits.begin()  # once more is no second wait beside the first
    await asyncio.sleep(0.05)
    asleep = [timeout for timeout in turns.sleeps if timeout]
    assert sum(asleep) > 0.03, "it slept through nearly all of it"
    assert turns.sleeps[0] == 0


@on_a_loop
async def test_with_one_processor_there_is_nothing_to_wait_for(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    loop = asyncio.get_running_loop()
    waits = ShortWait(loop)
    turns = Turns(loop)
    waits.begin()
    await asyncio.sleep(0.01)
    assert turns.sleeps[0] > 0
