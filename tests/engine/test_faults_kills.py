"""Processes killed under load: no request is lost, none is answered twice, none gets another's answer.

The clients of ``Crowd`` check every answer by the id it bears, and that each run was settled once.
"""

import asyncio
import json
import os
import random
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.faults import JOIN, LETTER, OBEDIENT, Crowd, ask, opened, pids_of, wait_gone, write_flow
from fakes.loops import on_a_loop
from local_workers import wait_gone as wait_all_gone

from wfctl.errors import DeadlineExceededError, RunError
from wfctl.spec.model import WorkerSettings

PATIENT = {"max_batch_delay_ms": 2, "retry_attempts": 0, "timeout_ms": 60_000}
DIAMOND = "a > b > d, a > c > d"
SETTINGS = {
    "a": WorkerSettings(min_workers=2, max_workers=2, **PATIENT),  # fast: calls are handed ahead
    "b": WorkerSettings(min_workers=2, max_workers=2, batch_size=4, **PATIENT),
    "c": WorkerSettings(batch_size=8, **PATIENT),
    "d": WorkerSettings(batch_size=3, **PATIENT),
}
HANDLERS = {"b": LETTER.replace("{name}", "b"), "c": LETTER.replace("{name}", "c"), "d": JOIN}


def joined(given, answer):
    return answer == b"|".join((b"b" + given, b"c" + given))


class Reaper:
    """Kills once in so many answers."""

    def __init__(self, every: int, victim) -> None:
        self.killed: list[int] = []
        self._every = every
        self._victim = victim

    def __call__(self, count: int) -> None:
        if count % self._every == 0 and (pid := self._victim()) is not None:
            os.kill(pid, signal.SIGKILL)
            self.killed.append(pid)


@on_a_loop
async def test_killing_workers_at_random_under_load_loses_no_request_and_doubles_none(tmp_path):
    chance = random.Random(4711)
    async with opened(write_flow(tmp_path, DIAMOND, SETTINGS, HANDLERS)) as engine:

        def anybody():
            pids = [pid for node in engine.statistics().nodes for pid in node.worker_pids]
            return chance.choice(pids) if pids else None

        reaper = Reaper(100, anybody)
        crowd = Crowd(engine, [""] * 6000, joined, after_each=reaper)
        await crowd.run(48)
        assert crowd.errors == {}
        assert crowd.answered == 6000
        assert len(reaper.killed) >= 50
        assert engine.statistics().stray_answers == 0
    assert wait_all_gone(reaper.killed) == []


@on_a_loop
async def test_killing_the_fork_server_under_load_loses_no_request(tmp_path):
    async with opened(write_flow(tmp_path, DIAMOND, SETTINGS, HANDLERS)) as engine:
        reaper = Reaper(500, lambda: engine.backend.statistics().fork_server_pid)
        before = {pid for node in engine.statistics().nodes for pid in node.worker_pids}
        crowd = Crowd(engine, [""] * 1600, joined, after_each=reaper)
        await crowd.run(48)
        assert crowd.errors == {}
        assert len(reaper.killed) == len(set(reaper.killed)) == 3
        assert isinstance(await ask(engine), bytes)
        assert not before & {pid for node in engine.statistics().nodes for pid in node.worker_pids}
    assert wait_all_gone([*before, *reaper.killed]) == []


@on_a_loop
async def test_a_fork_server_killed_while_it_starts_is_started_again(tmp_path, monkeypatch):
    (tmp_path / "slow").mkdir()
    sound = "def set_num_threads(number): pass\n"
    (tmp_path / "slow" / "torch.py").write_text(sound)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "slow"))
    plan = write_flow(tmp_path, "a > b", WorkerSettings(**PATIENT), {"a": OBEDIENT + "# torch"})
    async with opened(plan) as engine:
        # From now on, whoever imports it kills itself, once.
        spoilt = "import os\nif os.path.exists(MARK):\n  os.unlink(MARK)\n  os.kill(os.getpid(), 9)\n"
        (tmp_path / "slow" / "torch.py").write_text(sound + spoilt.replace("MARK", repr(str(tmp_path / "once"))))
        (tmp_path / "once").touch()
        pids = pids_of(engine)
        os.kill(engine.backend.statistics().fork_server_pid, signal.SIGKILL)
        await wait_gone(*pids)
        assert isinstance(await ask(engine), bytes)
        assert not (tmp_path / "once").exists()


@on_a_loop
async def test_with_no_file_to_be_opened_starts_fail_and_go_on_once_there_is(tmp_path):
    plan = write_flow(tmp_path, "a > b", WorkerSettings(**PATIENT))
    async with opened(plan) as engine:
        assert isinstance(await ask(engine), bytes)
        worker = os.pidfd_open(*pids_of(engine))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
        try:
            os.kill(engine.backend.statistics().fork_server_pid, signal.SIGKILL)
            select.select([worker], [], [])
            assert isinstance(await ask(engine, deadline_s=0.5), DeadlineExceededError)
            assert "Too many open files" in engine._state.nodes[0].last_failure
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            os.close(worker)
        assert isinstance(await ask(engine), bytes)


@on_a_loop
async def test_a_worker_that_stands_still_is_replaced_and_its_request_tried_again(tmp_path):
    settings = WorkerSettings(max_batch_delay_ms=0, retry_attempts=3, timeout_ms=500)
    async with opened(write_flow(tmp_path, "a > b", {"a": settings})) as engine:
        (stopped,) = pids_of(engine)
        os.kill(stopped, signal.SIGSTOP)
        assert isinstance(await ask(engine), bytes)
        await wait_gone(stopped)


PROGRAM = """
import asyncio, json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[2])
from fakes.faults import Crowd, opened, write_flow
from wfctl.spec.model import WorkerSettings

FORKS = "pid = os.fork()\\nif not pid: os.setsid(); signal.pause()\\nprint('child', pid, flush=True)"

async def main():
    settings = WorkerSettings(min_workers=2, max_workers=2, max_batch_delay_ms=1, batch_size=4, timeout_ms=60_000)
    async with opened(write_flow(Path(sys.argv[1]), "a > b > d, a > c > d", settings)) as engine:
        def tell(count):
            if count == 300:
                statistics = engine.backend.statistics()
                children = [int(line.split()[1]) for line in engine.heard.lines if line.startswith("child")]
                print(json.dumps([statistics.fork_server_pid, *statistics.worker_pids.values(), *children]), flush=True)
        codes = (FORKS if number % 50 == 7 else "" for number in range(10**9))
        await Crowd(engine, codes, lambda given, answer: True, after_each=tell).run(32)

asyncio.run(main())
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_a_program_that_is_ended_under_load_leaves_no_process(tmp_path, end):
    here = Path(__file__).parent
    paths = json.dumps([str(here), str(here.parent)])
    words = [sys.executable, "-c", PROGRAM, str(tmp_path), paths]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True) as program:
        pids = json.loads(program.stdout.readline())
        assert len(pids) >= 1 + 8 + 4
        program.send_signal(end)
        program.wait(timeout=20)
        assert wait_all_gone(pids) == []


@on_a_loop
async def test_closing_waits_for_the_runs_in_flight_though_workers_are_killed_meanwhile(tmp_path):
    async with opened(write_flow(tmp_path, "a > b", WorkerSettings(**PATIENT))) as engine:
        runs = [asyncio.create_task(ask(engine, "time.sleep(0.01)")) for _ in range(50)]
        await asyncio.sleep(0)
        os.kill(*pids_of(engine), signal.SIGKILL)
    assert all(isinstance(run.result(), bytes) for run in runs)


@on_a_loop
async def test_leaving_by_an_exception_gives_up_what_runs_and_leaves_no_process(tmp_path):
    begun = []

    async def leave():
        async with opened(write_flow(tmp_path, "a > b", WorkerSettings(**PATIENT))) as engine:
            begun.append(asyncio.create_task(ask(engine, "print('in', flush=True); ctypes.PyDLL(None).sleep(1000)")))
            await engine.heard.until(lambda lines: "in" in lines)
            begun.extend(engine.backend.statistics().worker_pids.values())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await leave()
    run, *pids = begun
    assert "shut down" in (await run).message
    assert not isinstance(await run, RunError)
    assert wait_all_gone(pids) == []
