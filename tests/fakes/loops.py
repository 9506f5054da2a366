"""Tests that are coroutines."""

import asyncio
import functools


def on_a_loop(test):
    """Run an async test on a loop of its own, which complains about what it leaves behind."""

    @functools.wraps(test)
    def runs(*args, **settings):
        asyncio.run(test(*args, **settings))

    return runs
