"""How many bytes of bodies and answers a server holds at a time, over all of its connections.

Bytes count once they are there: what is only promised would let those who send nothing keep out all others.
Invariant: what was taken is given back exactly once; nothing here waits.
"""

from collections.abc import Iterable

from wfctl.web.wire.exchange import Exchange

FREE = 64 * 1024
"""Bytes that one body, or one answer, may have in any case."""


class Budget:
    """Bytes that may be held."""

    __slots__ = ("held", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def has_room(self, size: int, own: int = 0) -> bool:
        """Whether as many more may be held; one body is always let in, however large, of which ``own`` are there."""
        return self.held <= own or self.held + size <= self.most

    def take(self, size: int, own: int = 0) -> bool:
        """Take some more, if there is room."""
        if not self.has_room(size, own):
            return False
        self.held += size
        return True

    def add(self, size: int) -> None:
        """Count what is there already, whether there is room or not; less than nothing if it has become less."""
        self.held += size

    def give(self, size: int) -> None:
        """Give some back."""
        self.held -= size


class Share:
    """What one connection has of it: what came and is no request yet, what is at work, and answers."""

    __slots__ = ("_budget", "_came", "_owed")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._came = 0
        self._owed = 0
        """Bytes of answers that were written and that the client has not taken."""

    def has_room(self, size: int) -> bool:
        """Whether a body could come now; nothing is promised."""
        return self._budget.has_room(size)

    def came(self, size: int, *, is_body: bool) -> bool:
        """Count what is kept of what came; returns whether there was room, and only a body may lack it."""
        grown = (size if size > FREE else 0) - self._came
        if grown > 0 and is_body and not self._budget.has_room(grown, self._came):
            return False
        if grown:
            self._budget.add(grown)
            self._came += grown
        return True

    def begin(self, size: int) -> bool:
        """Count a body that is whole, in place of what came; returns whether there was room."""
        if size > FREE and not self._budget.has_room(size - self._came, self._came):
            return False
        self._budget.add(size - self._came)
        self._came = 0
        return True

    def answered(self, exchange: Exchange, size: int) -> None:
        """Count an answer that waits for its turn, in place of the request."""
        exchange.forget = None  # it has the body
        held = size if size > FREE else 0
        self._budget.add(held - exchange.held)
        exchange.held = held

    def let_go(self, exchange: Exchange) -> None:
        """Forget what is written; it knows the run, which knows who waits for it: a circle."""
        self._budget.give(exchange.held)
        exchange.forget = None

    def owes(self, size: int) -> None:
        """Count what a client has not taken."""
        if size != self._owed:
            self._budget.add(size - self._owed)
            self._owed = size

    def end(self, exchanges: Iterable[Exchange]) -> None:
        """Give all of it back."""
        self._budget.give(self._came + self._owed + sum(exchange.held for exchange in exchanges))
        self._came = self._owed = 0
