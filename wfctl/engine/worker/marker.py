"""A word of memory that a worker shares with the engine: which batch it is running.

A worker that dies can tell nothing any more; this word outlives it, so that the engine knows which of the calls it
had handed over were running and which had not been begun.
Invariant: one writer, the worker; eight bytes at an aligned address, so that no half-written word is ever read.
"""

import mmap
import os

_SIZE = mmap.PAGESIZE


def make_marker_file() -> int:
    """Return the descriptor of a new marker, which says that nothing runs."""
    file = os.memfd_create("wfctl-marker", os.MFD_CLOEXEC)
    os.truncate(file, _SIZE)
    return file


class Marker:
    """The word, seen from one of its two ends; takes the descriptor over and closes it."""

    def __init__(self, file: int) -> None:
        try:
            self._memory = mmap.mmap(file, _SIZE)
        finally:
            os.close(file)
        self.word = memoryview(self._memory).cast("Q")
        """Its first item is the number of the batch that runs, counted from 1 for each worker; 0 if none does."""

    @property
    def running(self) -> int:
        """The number of the batch that runs; 0 if none does."""
        return self.word[0]

    def keep_from_children(self) -> None:
        """See to it that a process which the handler forks, and which comes back from it, changes a copy only."""
        os.register_at_fork(after_in_child=self._detach)

    def _detach(self) -> None:
        self.word = memoryview(bytearray(self.word)).cast("Q")

    def close(self) -> None:
        """Let go of the memory."""
        self.word.release()
        self._memory.close()
