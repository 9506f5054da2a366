"""A real ``wfctl serve`` in a process of its own, and a plain client of it."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

WFCTL = Path(sys.executable).parent / "wfctl"
_LISTENS = re.compile(r"(\S+) (https?)://([0-9.]+|\[[0-9a-f:]+\]):(\d+)")


class Answer:
    """What a client got."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.body[:400]!r})"


def call(
    port: int, method: str, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body.encode() if isinstance(body, str) else body, dict(headers or {}))
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read())
    finally:
        connection.close()


class Served:
    """One running server; a context manager that drains it."""

    def __init__(
        self,
        folder: Path,
        *words: object,
        env: Mapping[str, str] | None = None,
        waits: bool = True,
        has_own_addresses: bool = False,
        apis: int = 3,
    ) -> None:
        """Start it; where it has no addresses of its own, by ``words`` or in its file, it listens at free ports."""
        self._apis = apis
        self.lines: list[str] = []
        """What it said, standard error."""
        self._said = threading.Condition()
        self.ports: dict[str, int] = {}
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **(env or {})}
        usual = [] if has_own_addresses or any("-address" in str(word) for word in words) else _anywhere()
        self.process = subprocess.Popen(
            [str(WFCTL), "serve", *map(str, words), *usual],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        self._read_ports()
        if waits:
            self.wait_for("ready: ")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.stop()

    def _read_ports(self) -> None:
        while len(self.ports) < self._apis:
            line = self.process.stdout.readline()
            if not line:
                self.process.wait(30)
                self.stop()
                raise AssertionError(f"it ended ({self.process.returncode}): {self.lines}")
            found = _LISTENS.fullmatch(line.strip())
            for role in found[1].split("+") if found else ():
                self.ports[role] = int(found[4])
            if found is None:
                for role in line.split(" ")[0].split("+"):
                    self.ports[role] = 0

    def _read_errors(self) -> None:
        for line in self.process.stderr:
            with self._said:
                self.lines.append(line.rstrip("\n"))
                self._said.notify_all()
        with self._said:
            self.lines.append("")
            self._said.notify_all()

    def wait_for(self, text: str, *, seconds: float = 60, count: int = 1) -> str:
        """Wait until it has said something so often, and return the last such line."""
        with self._said:
            if not self._said.wait_for(lambda: self._count(text) >= count or self._is_over(), seconds):
                raise AssertionError(f"it never said {text!r}: {self.lines}")
            found = [line for line in self.lines if text in line]
            if len(found) < count:
                raise AssertionError(f"it ended and never said {text!r}: {self.lines}")
            return found[-1]

    def _count(self, text: str) -> int:
        return sum(text in line for line in self.lines)

    def _is_over(self) -> bool:
        return bool(self.lines) and not self.lines[-1] and self.process.poll() is not None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join(30)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()
        return code

    def ask(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
        """Ask the inference API; headers are named with underscores."""
        return self._ask("inference", method, path, body, headers)

    def manage(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
        """Ask the management API."""
        return self._ask("management", method, path, body, headers)

    def _ask(self, role: str, method: str, path: str, body: bytes | str, headers: Mapping[str, str]) -> Answer:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return call(self.ports[role], method, path, body, fields)


def _anywhere() -> list[str]:
    places = []
    for role in ("inference", "management", "metrics"):
        places += [f"--{role}-address", "http://127.0.0.1:0"]
    return places
