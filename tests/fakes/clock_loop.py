"""An event loop whose clock jumps: timers fire in order, and no test ever waits.

When nothing is ready the clock moves straight to the next timer. When there is no timer either, the test would
hang for ever; the loop says so instead.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _JumpingSelector(selectors.SelectSelector):
    jumped = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("the test waits for something that never happens")
            self.jumped += timeout
        return ready


class ClockLoop(asyncio.SelectorEventLoop):
    """Its time is 1000.0 at the start and is all virtual."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return 1000.0 + self._jumping.jumped


def run_clocked(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        return runner.run(coroutine)
