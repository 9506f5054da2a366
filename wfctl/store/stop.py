"""How a caller ends what runs in another thread and waits for the network.

Invariant: once set it stays set; who listens is called exactly once, also if it came too late.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop:
    """A request to give up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._is_set = False

    def set(self) -> None:
        """Ask everybody who listens to give up."""
        with self._lock:
            listeners, self._listeners, self._is_set = self._listeners, [], True
        for listener in listeners:
            listener()

    @contextmanager
    def heard_by(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call ``listener`` (from whatever thread) if the request comes while the block runs, or came before."""
        with self._lock:
            is_late = self._is_set
            if not is_late:
                self._listeners.append(listener)
        if is_late:
            listener()
        try:
            yield
        finally:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)
