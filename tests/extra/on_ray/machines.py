"""A cluster of several machines: each is a Ray node of its own processes, ports, resources and temporary folder."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import psutil  # Ray brings it

RAY = Path(sys.executable).parent / "ray"
_ONE_HOST = ("--min-worker-port", "0", "--max-worker-port", "0", "--dashboard-agent-listen-port", "0")
"""Ports that are free: these machines share one."""
_STARTED = "Ray runtime started"


class Machine:
    """One of them; a program that runs until it is killed."""

    def __init__(self, folder: Path, words: list[str], env: Mapping[str, str]) -> None:
        self.folder = folder
        """What is temporary there."""
        folder.mkdir()
        self._said = (folder / "ray.log").open("w+")
        command = [str(RAY), "start", *words, *_ONE_HOST, "--num-cpus", "4", "--block"]
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **env, "TMPDIR": str(folder), "RAY_USAGE_STATS_ENABLED": "0"},
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait_started()

    def _wait_started(self) -> None:
        log, ends_at = self.folder / "ray.log", time.monotonic() + 60
        while _STARTED not in log.read_text():
            if self._process.poll() is not None or time.monotonic() > ends_at:
                raise AssertionError(log.read_text())
            time.sleep(0.05)  # a file tells nobody that it grew

    def kill(self) -> None:
        """End it as if its power were cut: all of its processes, none of which gets to say anything."""
        try:
            everybody = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            everybody = []
        for each in everybody:
            if each.is_running():
                each.suspend()  # so that nobody sees others go
        for each in everybody:
            if each.is_running():
                each.kill()
        self._process.wait()
        self._said.close()


class Cluster:
    """A head and its machines, which want a token of everybody; a context manager that kills them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._other_port = free_ports(2)
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        """What whoever wants to join has to know."""
        self.machines: list[Machine] = []

    def __enter__(self) -> Self:
        home = ["--head", "--port", str(self._port), "--include-dashboard=false"]
        self._start(
            [
                *home,
                "--ray-client-server-port",
                str(self._other_port),
                "--temp-dir",
                f"/tmp/ray-{secrets.token_hex(4)}",
            ],
            {},
        )
        return self

    def __exit__(self, *reason: object) -> None:
        for each in reversed(self.machines):
            each.kill()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def add(self, resources: str = "{}", env: Mapping[str, str] | None = None) -> Machine:
        """Start one more machine; ``resources`` in JSON."""
        return self._start(["--address", self.address, "--resources", resources], env or {})

    def _start(self, words: list[str], env: Mapping[str, str]) -> Machine:
        machine = Machine(self._folder / f"machine-{len(self.machines)}", words, {**self.environment, **env})
        self.machines.append(machine)
        return machine


def free_ports(count: int) -> list[int]:
    """Return ports below those that Ray gives to its workers."""
    found: list[int] = []
    for port in range(7000, 9000):
        with socket.socket() as place:
            if place.connect_ex(("127.0.0.1", port)):
                found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no ports are free")
