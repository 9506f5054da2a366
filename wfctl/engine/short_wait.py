"""A short wait of the event loop without sleep, for an answer that is as good as there.

A process that sleeps is back some 25 us after it was woken, which is longer than a fast node takes; to look again and
again for so long costs no more processor time than to go to sleep and be woken. Invariant: ends by itself.
"""

import asyncio
import os
from time import monotonic

_MOMENT_S = 60e-6
"""As long as a worker takes to wake up and to answer with code that has not been run for a while."""
SHORT_S = 40e-6
"""A handler that takes longer is waited for asleep."""


class ShortWait:
    """Keeps a loop awake for a moment."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._until = 0.0
        self._is_awake = False
        self._has_room = len(os.sched_getaffinity(0)) > 1
        """Whether there is a processor for the work, too."""

    def begin(self) -> None:
        """Stay awake for a moment from now on."""
        if self._has_room:
            self._until = monotonic() + _MOMENT_S
            if not self._is_awake:
                self._is_awake = True
                self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._is_awake = monotonic() < self._until
        if self._is_awake:
            os.sched_yield()  # the worker may have been woken on this very processor
            self._loop.call_soon(self._look)  # and until then the loop looks at its sockets without sleep
