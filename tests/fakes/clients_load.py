"""Clients that ask a server without a pause, each on a connection that it keeps, and what they saw meanwhile."""

import asyncio
import random
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field

from fakes.clients import request
from fakes.soak import Footprint, footprint_of

FAILING = 0.05
_EVERY_S = 0.5


@dataclass
class Window:
    """A while: how long its answers took, in seconds."""

    took: array = field(default_factory=lambda: array("d"))

    @property
    def p99_ms(self) -> float:
        ordered = sorted(self.took)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


class Load:
    """So many clients for so long; one request in twenty is meant to fail."""

    def __init__(self, port: int, pid: int, *, clients: int, seconds: float, windows: int) -> None:
        self._port, self._pid = port, pid
        self._clients, self._seconds = clients, seconds
        self.windows = [Window() for _ in range(windows)]
        self.meant: Counter[int] = Counter()
        """Status of the answers to requests that were meant to fail."""
        self.others: Counter[int] = Counter()
        """Status of all other answers."""
        self.wrong: Counter[str] = Counter()
        """What must not be: another's answer, a connection that broke."""
        self.held: list[tuple[float, Footprint]] = []
        """Seconds since the start, and what the server held then."""
        self._began = 0.0

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(self._clients):
                group.create_task(self._client(number))
            group.create_task(self._look())

    async def _look(self) -> None:
        for number in range(int(self._seconds / _EVERY_S)):
            await asyncio.sleep(self._began + number * _EVERY_S - time.monotonic())  # the pace, not a wait
            self.held.append((time.monotonic() - self._began, footprint_of(self._pid)))

    async def _client(self, number: int) -> None:
        chance = random.Random(number)
        asked = 0
        while not self._is_over:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                while not self._is_over:
                    asked += 1
                    fails = chance.random() < FAILING
                    word = f"{number}-{asked}-{'raise' if fails else 'pass'}".encode()
                    begun = time.monotonic()
                    writer.write(request("/wfpredict/soak", body=word))
                    status, body = await _answer(reader)
                    self._note(begun, status, is_meant=fails, is_right=fails or body == word)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.wrong[type(error).__name__] += 1
            finally:
                writer.close()

    @property
    def _is_over(self) -> bool:
        return time.monotonic() - self._began >= self._seconds

    def _note(self, begun: float, status: int, *, is_meant: bool, is_right: bool) -> None:
        now = time.monotonic()
        (self.meant if is_meant else self.others)[status] += 1
        if not is_right and status == 200:
            self.wrong["another's answer"] += 1
        at = int((begun - self._began) / self._seconds * len(self.windows))
        self.windows[min(at, len(self.windows) - 1)].took.append(now - begun)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length)
