"""All failures at once, at random: killed workers and fork-servers, callers who leave, deadlines, hostile handlers."""

import asyncio
import os
import random
import signal
from collections import Counter
from contextlib import suppress

import pytest
from fakes.faults import JOIN, LETTER, new_id, opened, write_flow

from wfctl.engine.call import Part
from wfctl.engine.core.invariants import validate
from wfctl.errors import WfctlError
from wfctl.spec.model import WorkerSettings

_ONCE = "mark = answer[:32]\nif not os.path.exists(mark): os.close(os.open(mark, os.O_CREAT)); "
CODES = [
    *[""] * 8,
    "raise ValueError",
    "time.sleep(0.003)",
    "answers[answers.index(answer)] = answer.ljust(200_000, b'#')",
    _ONCE + "os._exit(1)",
    _ONCE + "time.sleep(0.08)",
    _ONCE + "os.closerange(3, 50)",
    "os.fork() or os._exit(0)",
]
REQUESTS = 1500


class Storm:
    """Clients that ask, leave and set deadlines at random, and kill what they can reach."""

    def __init__(self, engine, chance: random.Random) -> None:
        self.outcomes: Counter[str] = Counter()
        self.unjust: list[str] = []
        """Failures of requests that no handler refused."""
        self._engine = engine
        self._chance = chance
        self._asked = 0

    async def client(self) -> None:
        while self._asked < REQUESTS:
            self._asked += 1
            self._kill()
            await self._ask(self._chance.choice(CODES))

    def _kill(self) -> None:
        pids = [pid for node in self._engine.statistics().nodes for pid in node.worker_pids]
        server = self._engine.backend.statistics().fork_server_pid
        with suppress(ProcessLookupError):
            if self._asked % 60 == 0 and pids:
                os.kill(self._chance.choice(pids), signal.SIGKILL)
            if self._asked % 700 == 0 and server is not None:
                os.kill(server, signal.SIGKILL)

    async def _ask(self, code: str) -> None:
        given = f"{new_id()} {code}".encode()
        deadline_s = self._chance.choice([None, None, None, 0.01, 5])
        run = asyncio.create_task(self._engine.run((Part("body", given),), deadline_s=deadline_s))
        if self._chance.random() < 0.05:
            await asyncio.sleep(self._chance.random() * 0.005)
            run.cancel()
        try:
            answer = (await run).body
        except asyncio.CancelledError:
            self.outcomes["left"] += 1
        except WfctlError as error:
            if error.code == "node-failed" and code != "raise ValueError":
                self.unjust.append(str(error))
            self.outcomes[error.code] += 1
        else:
            whole = given.ljust(200_000, b"#") if "ljust" in code else given
            assert answer == b"|".join((b"b" + whole, b"c" + whole))
            self.outcomes["answered"] += 1


def settings(chance: random.Random):
    patient = {"retry_attempts": 2, "timeout_ms": 30_000}
    return {
        "a": WorkerSettings(
            min_workers=chance.choice([1, 2]),
            max_workers=3,
            batch_size=chance.choice([1, 3]),
            max_batch_delay_ms=chance.choice([0, 3]),
            **patient,
        ),
        "b": WorkerSettings(max_workers=2, batch_size=4, max_batch_delay_ms=2, **patient),
        "c": WorkerSettings(min_workers=2, max_workers=2, max_batch_delay_ms=0, **patient),
        "d": WorkerSettings(batch_size=2, max_batch_delay_ms=1, **patient),
    }


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_every_request_is_settled_once_with_its_own_answer(tmp_path, seed):
    chance = random.Random(seed)
    handlers = {"b": LETTER.replace("{name}", "b"), "c": LETTER.replace("{name}", "c"), "d": JOIN}
    plan = write_flow(tmp_path, "a > b > d, a > c > d", settings(chance), handlers, idle_s=0.2)

    async def main():
        async with opened(plan) as engine:
            storm = Storm(engine, chance)
            async with asyncio.TaskGroup() as group:
                for _ in range(chance.choice([4, 32, 64])):
                    group.create_task(storm.client())
            assert storm.unjust == []
            assert storm.outcomes.total() == REQUESTS
            assert storm.outcomes["answered"] > REQUESTS / 2
            assert engine.settled.most() == 1
            assert (engine.statistics().runs, engine.statistics().stray_answers) == (0, 0)
            validate(engine._state, asyncio.get_running_loop().time())

    asyncio.run(main())
