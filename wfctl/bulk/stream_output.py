"""The output that is a stream: standard output, a pipe, a device.

Invariant: what was written is gone; such a run is never continued, and nothing lies beside it.
"""

import os
from pathlib import Path

from wfctl.bulk.sink import LineSink, Shown, not_written

_FLUSH_S = 0.01


class StreamOutput:
    """A stream of lines; the descriptor is taken when this is made."""

    charter_path: Path | None = None
    failures_path: Path | None = None
    done = 0
    failed = 0

    def __init__(self, target: Path | None, *, shown: Shown | None = None) -> None:
        self.target = target
        """``None`` for standard output."""
        self._name = "standard output" if target is None else str(target)
        self._shown = shown
        try:
            self._descriptor = os.dup(1) if target is None else os.open(target, os.O_WRONLY)
        except OSError as error:
            raise not_written(self._name, error) from error

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads it."""
        return os.isatty(self._descriptor)

    @property
    def own_paths(self) -> tuple[Path, ...]:
        """What the run writes, and must not read."""
        return ()

    def exists(self) -> bool:
        """Say no: nothing is lost by writing more."""
        return False

    def begin(self) -> LineSink:
        """Return the stream."""
        return LineSink(os.dup(self._descriptor), self._name, flush_s=_FLUSH_S, shown=self._shown)

    def close(self) -> None:
        """Let go of the stream."""
        os.close(self._descriptor)
