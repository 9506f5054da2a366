"""A line on a terminal that says what is waited for, and vanishes.

Invariant: nothing is written where nobody watches, and nothing of it stays on the screen.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

PATIENCE_S = 0.5
"""What is done sooner needs no word."""


class Notice:
    """The line, from the moment it is due until something else is said."""

    def __init__(self, text: str, stream: TextIO) -> None:
        self._text = text
        self._stream = stream
        self._lock = threading.Lock()
        self._is_shown = False
        self._has_ended = False

    def show(self) -> None:
        """Write the line, unless it is too late for it or nobody is there."""
        with self._lock:
            if not self._has_ended and self._stream.isatty():
                self._is_shown = True
                self._stream.write(self._text)
                self._stream.flush()

    def change(self, text: str) -> None:
        """Say something else from now on, at once if the line is shown."""
        with self._lock:
            if self._is_shown:
                # Spaces wipe out what is left of a longer text before.
                self._stream.write(f"\r{text.ljust(len(self._text))}")
                self._stream.flush()
                text = text.ljust(len(self._text))
            self._text = text

    def end(self) -> None:
        """Wipe the line out; from now on it is not shown any more."""
        with self._lock:
            self._has_ended = True
            if self._is_shown:
                self._is_shown = False
                self._stream.write(f"\r{' ' * len(self._text)}\r")
                self._stream.flush()


@contextmanager
def shown_if_slow(notice: Notice, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Show the notice if the block takes longer than ``patience_s``."""
    timer = threading.Timer(patience_s, notice.show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        notice.end()
