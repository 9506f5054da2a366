"""Lines on their way to a file, a terminal or a pipe.

Owns one thread, for a disk or a reader may take as long as it likes and the event loop may not. Invariant: whoever adds
a line never waits and never fails; lines are written whole and in the order in which they were added, or it is said how
many are missing; what waits is bounded.
"""

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from wfctl.web.watch.log_lines import Form, Level, Stamp, event_line

_PAUSE_S = 0.05
"""What comes within this time is written together: twenty writes a second at most."""
_MOST = 4 << 20
"""Characters that may wait."""
_AT_ONCE = 64 * 1024
"""Bytes of one write."""
_STANDARD_ERROR = 2


class HasDescriptor(Protocol):
    """An open file."""

    def fileno(self) -> int:
        """Return its descriptor."""


def say_so(message: str) -> None:
    """Tell on standard error, as far as that is there."""
    with suppress(OSError):
        os.write(_STANDARD_ERROR, f"wfctl: {message}\n".encode())


class LogWriter:
    """Writes lines to one stream; several logs may share it. Close it before its stream.

    What the stream itself still holds in a buffer is not waited for. Lines are added by one thread.
    """

    def __init__(
        self,
        stream: HasDescriptor,
        form: Form = Form.TEXT,
        *,
        clock: Callable[[], float] = time.time,
        on_failure: Callable[[str], None] = say_so,
        most: int = _MOST,
    ) -> None:
        self.form = form
        self.stamp = Stamp(clock)
        self.dropped = 0
        """Lines that found no room, for the stream did not take those before them."""
        self._stream = stream
        """Kept, for a file that nobody knows is closed."""
        self._descriptor = stream.fileno()
        self._clock = clock
        self._on_failure = on_failure
        """Called once, by the thread that writes, when a line cannot be written; nothing is, from then on."""
        self._most = most
        self._lines: list[str] = []
        self._added = self._taken = 0
        """Characters; each is counted by one thread only."""
        self._told = 0
        """Of the lines that were dropped, how many the log says."""
        self._is_over = False
        self._is_awake = False
        self._work, self._end = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, line: str) -> None:
        """Have a line written, which has its end; soon, and without waiting."""
        if self._is_over:
            return
        if self._added - self._taken + len(line) > self._most:
            self.dropped += 1
            return
        self._added += len(line)
        self._lines.append(line)
        if not self._is_awake:
            self._is_awake = True
            self._wake()

    def close(self, within_s: float = 1.0) -> None:
        """Write what was added; a stream that does not take it in time is left alone."""
        self._is_over = True
        self._end.set()
        self._work.set()
        if self._thread is not None:
            self._thread.join(within_s)

    def _wake(self) -> None:
        if self._thread is None:
            # A thread that hangs in a write must not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()
        self._work.set()

    # In the thread

    def _run(self) -> None:
        try:
            is_last = False
            while not is_last:
                self._work.wait()
                is_last = self._end.wait(_PAUSE_S)
                self._work.clear()
                # Before lines are taken: who adds one from now on wakes us again.
                self._is_awake = False
                self._write_all()
        except OSError as error:
            self._is_over = True
            self._lines.clear()
            reason = (error.strerror or str(error)).lower()
            self._on_failure(f"a log ends here, for it cannot be written: {reason}")

    def _write_all(self) -> None:
        count = len(self._lines)
        # Lines are added meanwhile; these two steps touch only those that are counted.
        text = "".join(self._lines[:count])
        del self._lines[:count]
        self._write(text.encode("utf-8", "backslashreplace"))
        self._taken += len(text)
        missing = self.dropped - self._told
        if missing:
            self._told += missing
            # A clock of its own, for the other one is the other thread's.
            now = Stamp(self._clock).now()
            line = event_line(self.form, now, Level.WARNING, "lines-dropped", {"count": missing})
            self._write(line.encode("utf-8"))

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest[:_AT_ONCE]) :]
            except BlockingIOError:  # a terminal that somebody else has set so
                ready = select.poll()
                ready.register(self._descriptor, select.POLLOUT)
                ready.poll()
