"""How much memory processes hold, logged by process id.

Invariant: reads the kernel's own files; nothing needs to be installed for it.
"""

import logging
import os
from pathlib import Path
from typing import TextIO

_log = logging.getLogger(__name__)


def get_cpu_usage(pid: int | str) -> int:
    """Return the bytes of memory that a process holds; 0 if there is no such process."""
    try:
        resident = int(Path(f"/proc/{int(pid)}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        _log.error("there is no process %s to look at", pid)
        return 0
    return resident * os.sysconf("SC_PAGE_SIZE")


def check_process_mem_usage(stdin: TextIO) -> None:
    """Log ``pid:bytes`` for each process id of a line, which has commas between them."""
    for pid in filter(None, stdin.readline().strip().split(",")):
        _log.info("%s:%d", pid, get_cpu_usage(pid))
