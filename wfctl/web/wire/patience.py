"""How long a client may keep us waiting, and the one timer of a connection.

Invariant: a request that comes and goes at once needs no timer of its own; a wait that is too long is seen in time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds, for each phase of a connection."""

    idle_s: float = 75.0
    """Before the first byte of a request."""
    head_s: float = 10.0
    """From its first byte to the end of its head."""
    body_s: float = 60.0
    """From there to the end of its body, or to its next ``least_taken`` bytes."""
    write_s: float = 30.0
    """For a client that does not take its answers: of what waits for it, in this time ``least_taken`` bytes or all."""
    least_taken: int = 64 * 1024
    """Bytes that a client sends or takes in time, of what is longer; as long as it does, it is slow and honest."""
    gone_s: float = 1.0
    """For what is at work for a client that promised to go on and has closed its side."""
    linger_s: float = 2.0
    """After a refusal, for what is still on its way: closed too early, the client would not get to read the refusal."""


def _nobody() -> None:
    """Where a timer has ended."""


class Timer:
    """Calls back at a moment that is moved all the time, mostly to later."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_time: Callable[[], None]) -> None:
        self._loop = loop
        self._on_time = on_time
        self._due = inf
        self._handle: asyncio.TimerHandle | None = None
        self._rings_at = inf

    def set(self, due: float) -> None:
        """Be called at ``due``, by the clock of the loop, and not before; ``inf`` for never."""
        self._due = due
        if due < self._rings_at:
            self.cancel()
            self._due, self._rings_at = due, due
            self._handle = self._loop.call_at(due, self._ring)

    def cancel(self) -> None:
        """Be called no more."""
        self._due = self._rings_at = inf
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def end(self) -> None:
        """Be called no more, ever: who calls back is let go, too."""
        self.cancel()
        self._on_time = _nobody

    def _ring(self) -> None:
        due, self._rings_at, self._handle = self._due, inf, None
        if self._loop.time() < due:
            self.set(due)
        else:
            self._on_time()
