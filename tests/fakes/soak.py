"""Very many requests with injected failures, and what the processes hold while they are answered."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fakes.clients import open_files, resident_megabytes, threads_of
from fakes.faults import Crowd, opened, wait_staffed, write_flow

from wfctl.spec.model import WorkerSettings

RAISES = "raise ValueError('bad picture')"
DIES_ONCE = "mark = answer[:32]\nif not os.path.exists(mark): os.close(os.open(mark, os.O_CREAT)); os._exit(1)"
DIES = "os._exit(1)"
BLOCKS = "signal.pause()"
WORKERS = 4


@dataclass(frozen=True)
class Footprint:
    """What one process holds."""

    megabytes: float
    threads: int
    files: int


def footprint_of(pid: int | str) -> Footprint:
    return Footprint(megabytes=resident_megabytes(pid), threads=threads_of(pid), files=open_files(pid))


@dataclass(frozen=True)
class Held:
    """What the engine's process and its fork-server hold at one moment at which nothing runs."""

    megabytes: float
    server_megabytes: float
    threads: int
    files: int
    server_files: int
    processes: int
    tasks: int


def codes(count: int, chance: random.Random):
    """Make requests of which one in twenty fails or kills its worker, and one blocks two in its two attempts."""
    for number in range(count):
        if number == count // 2:
            yield BLOCKS
            continue
        draw = chance.random()
        yield RAISES if draw < 0.0465 else DIES_ONCE if draw < 0.0495 else DIES if draw < 0.0497 else ""


def assert_flat(held: list[Held], *, megabytes: float) -> None:
    """Compare what was held after the first lot, when all is warm, with what was held after the last."""
    first, last = held[0], held[-1]
    assert last.megabytes - first.megabytes < megabytes, held
    assert last.server_megabytes - first.server_megabytes < megabytes, held
    for counted in ("threads", "files", "server_files", "processes", "tasks"):
        assert getattr(first, counted) == getattr(last, counted), held


async def soak(folder: Path, count: int, lots: int, timeout_ms: int) -> tuple[list[Held], Counter[str]]:
    """Send the requests in several lots; return what was held after each, and what failed that should not have."""
    settings = {
        "a": WorkerSettings(
            min_workers=WORKERS, max_workers=WORKERS, max_batch_delay_ms=0, retry_attempts=1, timeout_ms=timeout_ms
        ),
        "b": WorkerSettings(batch_size=8, max_batch_delay_ms=2, timeout_ms=60_000),
    }
    chance = random.Random(count)
    held, unjust = [], Counter()
    async with opened(write_flow(folder, "a > b > c", settings)) as engine:
        for _ in range(lots):
            wanted: Counter[str] = Counter()
            crowd = Crowd(engine, _noted(codes(count // lots, chance), wanted), lambda given, answer: given == answer)
            await crowd.run(64)
            bad = Counter({code: wanted[code] for code in (RAISES, DIES, BLOCKS)})
            assert not bad - crowd.errors, "what should have failed was answered"
            unjust += crowd.errors - bad
            await wait_staffed(engine, WORKERS)
            held.append(_held(engine))
        assert engine.statistics().stray_answers == 0
    return held, unjust


def _noted(given, wanted: Counter):
    for code in given:
        wanted[code] += 1
        yield code


def _held(engine) -> Held:
    server = engine.backend.statistics().fork_server_pid
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    own = footprint_of("self")
    return Held(
        megabytes=own.megabytes,
        server_megabytes=resident_megabytes(server),
        threads=own.threads,
        files=own.files,
        server_files=open_files(server),
        processes=len(children),
        tasks=len(asyncio.all_tasks()),
    )
