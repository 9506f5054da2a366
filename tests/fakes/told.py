"""A listener that remembers what a backend tells, and lets tests wait for it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wfctl.engine.call import CallAnswer
    from wfctl.engine.measured import Measured


class Told:
    """What was told so far."""

    def __init__(self) -> None:
        self.answers: dict[int, CallAnswer] = {}
        self.lost: list[tuple[int, str]] = []
        self.lines: list[tuple[str, str, str]] = []
        self.measured: list[tuple[int, str, int, Measured]] = []
        self._changed = asyncio.Event()

    def worker_answered(self, worker, answers) -> None:
        for answer in answers:
            assert answer.call_id not in self.answers, "answered twice"
            self.answers[answer.call_id] = answer
        self._changed.set()

    def worker_lost(self, worker, reason, running=None) -> None:
        self.lost.append((worker, reason))
        self._changed.set()

    def worker_measured(self, worker, node, pid, measured) -> None:
        self.measured.append((worker, node, pid, measured))
        self._changed.set()

    def worker_printed(self, node, stream, line) -> None:
        self.lines.append((node, stream, line))
        self._changed.set()

    async def wait_until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                self._changed.clear()
                await self._changed.wait()
