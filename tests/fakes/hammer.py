"""Many clients at a time, each on a connection that it keeps, counting what they get."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Self


class Hammer:
    """Clients in a thread of their own, from ``start`` to ``stop``."""

    def __init__(self, port: int, path: str, body: bytes = b"x", *, clients: int = 16, key: str = "") -> None:
        more = f"Authorization: Bearer {key}\r\n" if key else ""
        self._request = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
        self._port, self._clients = port, clients
        self.answers: Counter[tuple[int, bytes]] = Counter()
        """Status and body -> how often."""
        self.broken = 0
        """Connections that ended before their answer."""
        self._is_over = False
        self._grown = threading.Condition()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._is_over = True
        self._thread.join()

    @property
    def count(self) -> int:
        return self.answers.total()

    def wait_until(self, is_so: Callable[[], bool], seconds: float = 120) -> None:
        """Wait until something is so that changes with answers."""
        with self._grown:
            assert self._grown.wait_for(is_so, seconds), self.answers

    async def _run(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(self._clients)))

    async def _client(self) -> None:
        while not self._is_over:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                while not self._is_over:
                    writer.write(self._request)
                    if not await self._take(reader):
                        break
            except (asyncio.IncompleteReadError, ConnectionError):
                self.broken += 1
            finally:
                writer.close()

    async def _take(self, reader: asyncio.StreamReader) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        with self._grown:
            self.answers[int(head[9:12]), body] += 1
            self._grown.notify_all()
        return b"connection: keep-alive" in head.lower()
