"""A terminal of a given size, and what a program writes to it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

_SETTLES_COLOURS = {"NO_COLOR", "GITHUB_ACTIONS", "COLUMNS"}


def on_terminal(
    folder: Path, *words: str, columns: int, rows: int = 50, env: Mapping[str, str] | None = None
) -> tuple[str, int]:
    """Run ``wfctl`` with a terminal as its standard streams; returns what reached it, and the exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    lent = {name: value for name, value in os.environ.items() if name not in _SETTLES_COLOURS}
    with subprocess.Popen(
        [sys.executable, "-m", "wfctl", *words],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**lent, "TERM": "xterm-256color", **(env or {})},
    ) as program:
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(ours, 65536):
                seen += chunk
        except OSError:  # how Linux says that nobody holds the other end any more
            pass
        finally:
            os.close(ours)
        return seen.decode().replace("\r\n", "\n"), program.wait(timeout=60)
