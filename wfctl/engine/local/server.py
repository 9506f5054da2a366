"""The fork-server: a small process that imports what workers need, once, and forks a worker per request.

Started by the engine as a fresh interpreter (``bootstrap``), so that nothing of the user's program is in it. When
its line to the engine ends, it ends every worker and all that they started, and then itself.
Invariant: one thread, no CUDA, no user code, no event loop.
"""

import atexit
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import traceback
import weakref
from collections.abc import Mapping
from typing import NoReturn

from wfctl.engine.local.control import receive_message, send_message
from wfctl.engine.local.orphans import adopt_orphans, end_descendants
from wfctl.engine.worker import surroundings
from wfctl.engine.worker.channel import Channel
from wfctl.engine.worker.loop import receive_start, work
from wfctl.engine.worker.marker import Marker

_LONGEST_MESSAGE = 4096


def main(line_fd: str, parent: str) -> NoReturn:
    """Serve until the engine goes away; its first message names what to import before anything else."""
    line = socket.socket(fileno=int(line_fd))
    os.set_inheritable(line.fileno(), False)  # noqa: FBT003 - the standard library's signature
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.argv = ["wfctl-worker"]
    # Only while importing: from then on we see the line end, and then we can end the workers in good order.
    surroundings.die_with_parent(int(parent))
    given = _preload(line, _libraries(line))
    surroundings.outlive_parent()
    ForkServer(line, given).serve()
    os._exit(0)


def _libraries(line: socket.socket) -> list[str]:
    """Wait to be told what workers will want; an engine that goes away before that needs no server."""
    with contextlib.suppress(OSError):
        message, _ = receive_message(line)
        if message is not None:
            return [str(name) for name in message["libraries"]]
    os._exit(0)


def _preload(line: socket.socket, libraries: list[str]) -> Mapping[str, str]:
    """Import what workers share, at one thread; returns what the user's environment says about threads."""
    given = {name: os.environ[name] for name in surroundings.THREAD_VARIABLES if name in os.environ}
    os.environ.update(dict.fromkeys(surroundings.THREAD_VARIABLES, "1"))
    gc.disable()
    for name in libraries:
        # A broken installation may raise anything; the engine is told and nothing is forked.
        try:
            _import(name)
        except BaseException as reason:  # noqa: BLE001
            message = f"{type(reason).__name__}: {reason}"[:_LONGEST_MESSAGE]
            send_message(line, {"event": "failed", "library": name, "message": message})
            os._exit(1)
    # What libraries would tidy up at their end (torch takes 60 ms for it) is not the business of each worker.
    for finalizer in weakref.finalize._registry:  # type: ignore[attr-defined]  # noqa: SLF001
        finalizer.atexit = False
    gc.freeze()
    return given


def _import(name: str) -> None:
    try:
        __import__(name)
    except ModuleNotFoundError as missing:
        # Not installed: whether that matters is for the worker whose handler asks for it to say.
        if missing.name != name:
            raise


class ForkServer:
    """Forks workers, ends them, and tells how they ended."""

    def __init__(self, line: socket.socket, given: Mapping[str, str]) -> None:
        self._line = line
        self._given = given
        self._pids: dict[int, int] = {}
        """Worker -> process."""
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> None:
        """Do what the engine asks until it goes away."""
        adopt_orphans()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        poller = select.poll()
        poller.register(self._line, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        # An engine that ended in the middle of our message is an engine that ended.
        with contextlib.suppress(OSError):
            send_message(self._line, {"event": "ready"})
            while self._turn({fd for fd, _ in poller.poll()}):
                pass
        end_descendants(self._pids.values())

    def _turn(self, ready: set[int]) -> bool:
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
            self._reap()
        return self._line.fileno() not in ready or self._obey()

    def _obey(self) -> bool:
        message, files = receive_message(self._line)
        if message is None:
            return False
        worker = int(message["worker"])
        if message["do"] == "fork":
            self._fork(worker, str(message["node"]), files)
        elif worker in self._pids:
            _kill_group(self._pids[worker])
        return True

    def _fork(self, worker: int, node: str, files: list[int]) -> None:
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as reason:
            for each in files:
                os.close(each)
            send_message(self._line, {"event": "refused", "worker": worker, "message": str(reason)})
            return
        if not pid:
            self._become_worker(server, node, files)
        for each in files:
            os.close(each)
        self._pids[worker] = pid
        send_message(self._line, {"event": "forked", "worker": worker, "pid": pid})

    def _become_worker(self, server: int, node: str, files: list[int]) -> NoReturn:
        status = 1
        # Nothing may get past here: the frames above belong to the server.
        try:
            surroundings.die_with_parent(server)
            surroundings.take_session(node)
            self._line.close()
            os.close(self._wake)
            os.close(self._waker)
            stream, stdout, stderr, marker = files
            surroundings.take_streams(stdout, stderr)
            surroundings.keep_memory()
            status = _run_worker(socket.socket(fileno=stream), Marker(marker), self._given)
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(status)

    def _reap(self) -> None:
        """Tell of every worker that ended, and end what it left behind in its process group."""
        while True:
            try:
                # Not reaped yet: as long as the process is there, its number cannot come to mean another group.
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            worker = next((each for each, pid in self._pids.items() if pid == ended.si_pid), None)
            if worker is not None:
                _kill_group(ended.si_pid)
                del self._pids[worker]
            _, status = os.waitpid(ended.si_pid, 0)
            if worker is not None:
                code = os.waitstatus_to_exitcode(status)
                send_message(self._line, {"event": "exited", "worker": worker, "code": code})


def _run_worker(stream: socket.socket, marker: Marker, given: Mapping[str, str]) -> int:
    gc.enable()
    channel = Channel(stream)
    try:
        start = receive_start(channel)
        if start is not None:
            surroundings.divide_threads(start.threads, given)
            work(channel, start, marker)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the engine went away while we answered: the end of the stream by another name
    finally:
        # What handlers registered for the end (temporary folders, open logs) runs as in any Python process.
        atexit._run_exitfuncs()  # noqa: SLF001
        for output in (sys.stdout, sys.stderr):
            # Theirs to close or to replace, and nobody is left to be told.
            with contextlib.suppress(Exception):
                output.flush()
    return 0


def _kill_group(pid: int) -> None:
    # Both: a worker that was just forked has no group of its own yet.
    for end in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)
