"""How many bytes of bodies a server holds at a time, over all of its connections.

Invariant: what was taken is given back exactly once; nothing here waits.
"""


class Budget:
    """Bytes that may be held."""

    __slots__ = ("held", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def take(self, size: int) -> bool:
        """Take some, if there are as many; one body is always let in, however large it is."""
        if self.held and self.held + size > self.most:
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        """Give some back."""
        self.held -= size
