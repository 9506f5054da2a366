"""Servers under load: each in a process of its own, and what that process and its workers use."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.load import PATH
from benchmarks.measure import ROOT, script
from benchmarks.processes import Usage, family_of, usage_of


class Server:
    """A server that answers."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, path: bytes = PATH) -> None:
        self.pid = process.pid
        self.port = port
        self._path = path

    def addressed(self, request: bytes) -> bytes:
        """Return a request for the path that this server knows its workflow by."""
        return request.replace(PATH, self._path, 1)

    def usage(self) -> Usage:
        """Return what the server and all its workers have used so far."""
        used = (usage_of(pid) for pid in family_of(self.pid))
        return sum(used, start=Usage(user_s=0.0, system_s=0.0, sleeps=0))


@contextmanager
def relaying(widths: str) -> Iterator[Server]:
    """Start the relay whose stages are so wide, and yield it once it answers."""
    argv = [sys.executable, "-m", "benchmarks.listener", widths]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit("the relay did not start")
        try:
            yield Server(process, int(line))
        finally:
            process.stdin.close()
            process.wait()


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[Server]:
    """Start ``wfctl serve`` on the workflow in a folder, with further words, and yield it once it is ready."""
    argv = [script("wfctl"), "serve", str(folder), *words]
    for role in ("inference", "management", "metrics"):
        argv += [f"--{role}-address", "http://127.0.0.1:0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stdout.readline()
        try:
            name = _loaded(process.stderr)
            yield Server(process, int(said.rpartition(b":")[2]), b"/wfpredict/" + name)
        finally:
            process.terminate()
            process.communicate()


def _loaded(talk: IO[bytes]) -> bytes:
    """Return the name of the one workflow, once the server says that it is ready."""
    told = []
    for line in talk:
        told.append(line)
        if line.startswith(b"ready"):
            return next(each for each in told if each.startswith(b"loaded ")).split()[1].rstrip(b":")
    raise SystemExit(f"the server did not start: {b''.join(told).decode()}")
