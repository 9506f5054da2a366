"""What fork-servers are known to trip over, each with real programs, terminals and signals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from local_workers import process_is_there, wait_gone, write_node

PROGRAM = Path(__file__).with_name("unguarded_program.py")
RUNS_WHAT_IT_GETS = """
import ctypes, importlib.util, os, signal, subprocess, sys, threading, time
def echo(data, context):
    if data is None:
        return None
    exec(bytes(data[0]["body"]).decode())
    return [row["body"] for row in data]
"""
BLOCKS = "print('in', flush=True); signal.pause()"
BLOCKS_IN_C = "print('in', flush=True); ctypes.PyDLL(None).sleep(1000)"
FORKS = f"""
def child(*, leaves=False):
    pid = os.fork()
    if not pid:
        if leaves:
            os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    print(pid)
child()
child(leaves=True)
{BLOCKS}
"""
SPAWNS = f"""
for new_session in (False, True):
    print(subprocess.Popen(["sleep", "1000"], start_new_session=new_session).pid)
{BLOCKS_IN_C}
"""


class Running:
    """The program, and all processes that belong to it."""

    def __init__(self, program: subprocess.Popen) -> None:
        self.program = program
        said = json.loads(program.stdout.readline())
        self.server, self.worker, self.started = said["server"], said["worker"], said["started"]
        self.pids = [self.server, self.worker, *self.started]


@contextmanager
def running(folder: Path, code: str, *, program: Path = PROGRAM, terminal: int | None = None, **settings):
    if not (folder / "echo").exists():
        write_node(folder, RUNS_WHAT_IT_GETS)
    words = [sys.executable, str(program), str(folder), code, "no" if terminal is None else "terminal"]
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL if terminal is None else terminal,
        stdout=subprocess.PIPE,
        start_new_session=True,
        **settings,
    ) as started:
        try:
            program = Running(started)
            yield program
            assert wait_gone(program.pids) == []
        finally:
            started.kill()


def test_an_unguarded_program_runs_once_and_its_folder_stays_its_own(tmp_path):
    for name in ("unguarded_program.py", "local_workers.py"):
        shutil.copy(PROGRAM.with_name(name), tmp_path)
    (tmp_path / "neighbour.py").touch()
    looks = "print(os.getpid() if importlib.util.find_spec('neighbour') is None else 'leaked')\n" + BLOCKS
    with running(tmp_path, looks, program=tmp_path / "unguarded_program.py", cwd=tmp_path) as run:
        assert run.started == [run.worker]
        run.program.send_signal(signal.SIGINT)
        assert run.program.stdout.read().count(b"\n") == 1


def test_a_very_long_temporary_folder_is_no_obstacle(tmp_path):
    long = tmp_path.joinpath(*["x" * 100] * 5)
    long.mkdir(parents=True)
    with running(tmp_path, BLOCKS, env={**os.environ, "TMPDIR": str(long)}) as run:
        run.program.send_signal(signal.SIGINT)


@pytest.mark.parametrize("code", [BLOCKS, BLOCKS_IN_C, FORKS], ids=["python", "c", "forked"])
def test_an_interrupt_at_the_terminal_leaves_the_decision_to_the_program(tmp_path, code):
    ours, theirs = os.openpty()
    with running(tmp_path, code, terminal=theirs) as run:
        begun = time.monotonic()
        os.write(ours, b"\x03")
        still_there = json.loads(run.program.stdout.readline())
        assert still_there == run.pids
        run.program.wait()
        assert time.monotonic() - begun < 2.5
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    "code", [BLOCKS, BLOCKS_IN_C, FORKS, SPAWNS], ids=["python", "holding the interpreter", "forked", "spawned"]
)
def test_no_process_is_left_when_the_program_is_killed(tmp_path, code):
    with running(tmp_path, code) as run:
        assert all(map(process_is_there, run.pids))
        run.program.kill()


@pytest.mark.parametrize("code", [BLOCKS, BLOCKS_IN_C], ids=["python", "holding the interpreter"])
def test_no_worker_is_left_when_program_and_fork_server_are_killed_together(tmp_path, code):
    with running(tmp_path, code) as run:
        os.kill(run.server, signal.SIGSTOP)
        run.program.kill()
        os.kill(run.server, signal.SIGKILL)


def test_no_process_is_left_when_the_program_ends_without_closing(tmp_path):
    program = tmp_path / "careless.py"
    text = PROGRAM.read_text().replace("await asyncio.Event().wait()", "import os; os._exit(0)")
    program.write_text(text.replace("str(Path(__file__).parent)", repr(str(PROGRAM.parent))))
    with running(tmp_path, FORKS, program=program) as run:
        run.program.wait()


def test_a_program_killed_while_the_fork_server_imports_leaves_none(tmp_path):
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "torch.py").write_text(
        "import os, signal\nos.write(2, b'%d\\n' % os.getpid())\nsignal.pause()\n"
    )
    write_node(tmp_path, "# torch\n" + RUNS_WHAT_IT_GETS)
    words = [sys.executable, str(PROGRAM), str(tmp_path), BLOCKS, "no"]
    settings = {**os.environ, "PYTHONPATH": str(tmp_path / "slow")}
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=settings) as program:
        server = int(program.stderr.readline())
        program.kill()
        assert wait_gone([server]) == []
