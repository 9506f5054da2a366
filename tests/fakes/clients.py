"""Clients that say exactly what they are told, and what a server's process holds because of them."""

import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from fakes.served import Answer

_AT_ONCE = struct.pack("ii", 1, 0)
_PIECE = 64 * 1024


class Client:
    """One connection; a context manager that leaves."""

    def __init__(self, port: int, said: bytes = b"", *, takes: int = 0, seconds: float = 30) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(seconds)
        if takes:  # bytes that the system takes for it unread
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes)
        self.socket.connect(("127.0.0.1", port))
        self._rest = b""
        self.say(said)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.socket.close()

    def say(self, said: bytes) -> bool:
        """Send all of it; returns whether the server was there for it."""
        try:
            self.socket.sendall(said)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def answer(self) -> Answer:
        """Read one answer; raises ``EOFError`` if the server ends the connection instead."""
        head = self._until(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        told = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        status, length = int(line.split(" ")[1]), int(told.get("content-length", "0"))
        while len(self._rest) < length:
            self._read()
        body, self._rest = self._rest[:length], self._rest[length:]
        return Answer(status, told, body)

    def rest(self) -> bytes:
        """Read until the server ends the connection, in whatever way."""
        with suppress(EOFError, ConnectionResetError):
            while True:
                self._read()
        found, self._rest = self._rest, b""
        return found

    def reset(self) -> None:
        """Leave as a program does that is killed with unread answers."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.socket.close()

    def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            self._read()
        found, _, self._rest = self._rest.partition(end)
        return found

    def _read(self) -> None:
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise EOFError(self._rest)
        self._rest += piece


def request(target: str, *fields: str, method: str = "POST", body: bytes = b"", length: int | None = None) -> bytes:
    """Return a request as bytes; ``length`` is that of a body which comes later, or never."""
    said = [f"{method} {target} HTTP/1.1", "Host: localhost", *fields]
    if not any(field.lower().startswith("transfer-encoding:") for field in fields):
        said.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*said, "", ""]).encode("latin-1") + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def until(is_so: Callable[[], object], seconds: float = 30) -> None:
    """Ask until it is so, of what says by itself nothing."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came to that"


def resident_megabytes(pid: int | str) -> float:
    """Return how much memory a process occupies."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files(pid: int | str) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads_of(pid: int | str) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def slope(points: list[tuple[float, float]]) -> float:
    """Return by how much the second grows with each of the first (least squares)."""
    count = len(points)
    middle = sum(x for x, _ in points) / count
    level = sum(y for _, y in points) / count
    spread = sum((x - middle) ** 2 for x, _ in points)
    return sum((x - middle) * (y - level) for x, y in points) / spread
