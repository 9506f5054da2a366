"""Who is connected to a server, and who is not taken any more.

Invariant: whoever has entered has a transport and leaves; a handshake that fails, or is still under way, is nobody.
"""

import asyncio
from enum import Enum
from typing import Protocol

MOST_LINGERING = 64
"""Clients that are told that there are too many; those beyond them are cut without a word."""


class Welcome(Enum):
    """What becomes of a connection that is made."""

    SERVED = "served"
    TOLD = "told"
    """That there are as many as are served; then it ends."""
    CUT = "cut"
    ENDING = "ending"
    """The server ends, and so does the connection."""


class Guest(Protocol):
    """A connection."""

    def drain(self) -> None:
        """Answer what has come, and close."""

    def cut(self) -> None:
        """Close at once."""


class Crowd:
    """All connections of one server."""

    def __init__(self) -> None:
        self.served: set[Guest] = set()
        self.lingering: set[Guest] = set()
        """Turned away, and not gone yet."""
        self.turned_away = 0
        self.is_draining = False
        self._left = asyncio.Event()

    def leave(self, guest: Guest) -> None:
        """Forget one that has ended."""
        self.lingering.discard(guest)
        self.served.discard(guest)
        self._left.set()

    async def drain(self, within_s: float) -> int:
        """Take nobody any more and let all end; returns how many had to be cut."""
        self.is_draining = True
        for guest in tuple(self.served):
            guest.drain()
        try:
            async with asyncio.timeout(within_s):
                while self.served:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            pass
        left = len(self.served)
        for guest in (*self.served, *self.lingering):
            guest.cut()
        return left


class Door:
    """One address: it has as many as there may be, so that who manages is not kept out by who asks for answers."""

    def __init__(self, crowd: Crowd, most: int) -> None:
        self._crowd = crowd
        self._most = most
        self._within: set[Guest] = set()

    def enter(self, guest: Guest) -> Welcome:
        """Judge a connection that is made; it leaves in any case."""
        crowd = self._crowd
        if crowd.is_draining:
            crowd.served.add(guest)  # it ends by itself, and until then it is there
            return Welcome.ENDING
        if len(self._within) < self._most:
            self._within.add(guest)
            crowd.served.add(guest)
            return Welcome.SERVED
        crowd.turned_away += 1
        if len(crowd.lingering) >= MOST_LINGERING:
            return Welcome.CUT
        crowd.lingering.add(guest)
        return Welcome.TOLD

    def leave(self, guest: Guest) -> None:
        """Forget one that has ended."""
        self._within.discard(guest)
        self._crowd.leave(guest)
