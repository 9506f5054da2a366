"""The loop in a thread: what callers see of it when they are interrupted, and what is left when it ends."""

import asyncio
import signal
import threading

import pytest

from wfctl.service.portal import ThreadPortal


def interrupt_the_caller():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def test_an_interrupted_call_has_tidied_up_when_the_interrupt_is_raised():
    portal, steps = ThreadPortal(), []

    async def work():
        try:
            interrupt_the_caller()
            await asyncio.Event().wait()
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            steps.append("tidied up")

    with pytest.raises(KeyboardInterrupt):
        portal.call(work())
    assert steps == ["tidied up"]
    portal.stop()


def test_what_still_runs_when_the_portal_ends_is_cancelled_and_tidies_up():
    portal, steps, begun = ThreadPortal(), [], threading.Event()

    async def work():
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("tidied up")

    running = portal.submit(work())
    assert begun.wait(30)
    portal.stop()
    assert running.cancelled()
    assert steps == ["tidied up"]


def test_no_thread_is_left_of_a_portal():
    before = set(threading.enumerate())
    portal = ThreadPortal()
    portal.call(asyncio.to_thread(int))
    portal.stop()
    assert set(threading.enumerate()) == before


def test_results_and_exceptions_reach_the_caller():
    portal = ThreadPortal()

    async def fail():
        raise LookupError("not there")

    assert portal.call(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(LookupError, match="not there"):
        portal.call(fail())
    portal.stop()


def test_a_call_from_the_loop_itself_is_refused_instead_of_waiting_for_ever():
    portal = ThreadPortal()

    async def call_again():
        return portal.call(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="from its own thread"):
        portal.call(call_again())
    portal.stop()
