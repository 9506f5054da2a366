"""Keeps what this process does on SIGTERM, which Ray's core takes over when it connects: it would abort the process."""

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SIZE: Final = 512
"""More than ``struct sigaction`` has on any Linux."""


@contextmanager
def sigterm_kept() -> Iterator[None]:
    """Put back after the block what stood there before; below Python's own handlers, so that any thread may do it."""
    library, before = ctypes.CDLL(None), ctypes.create_string_buffer(_SIZE)
    library.sigaction(int(signal.SIGTERM), None, before)
    try:
        yield
    finally:
        library.sigaction(int(signal.SIGTERM), before, None)
