"""Servers under load: each in a process of its own, and what that process and its workers use."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import ROOT
from benchmarks.processes import Usage, family_of, usage_of


class Server:
    """A listener that answers."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.pid = process.pid
        self.port = port

    def usage(self) -> Usage:
        """Return what the server and all its workers have used so far."""
        used = (usage_of(pid) for pid in family_of(self.pid))
        return sum(used, start=Usage(user_s=0.0, system_s=0.0, sleeps=0))


@contextmanager
def serving(what: str, which: str | Path) -> Iterator[Server]:
    """Start ``python -m benchmarks.listener what which`` and yield it once it answers."""
    argv = [sys.executable, "-m", "benchmarks.listener", what, str(which)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"the server of {which} did not start")
        try:
            yield Server(process, int(line))
        finally:
            process.stdin.close()
            process.wait()
