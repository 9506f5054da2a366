"""The engine's side of the fork-server: start it, ask it for workers, hear of their ends, end it.

Invariant: starting returns at once and nothing here blocks the loop; a server that is ended leaves no process.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import wfctl
from wfctl.engine.backend import WorkerId
from wfctl.engine.local.control import Message, open_pair, receive_message, send_message
from wfctl.errors import WorkerError

# The interpreter must find this very wfctl, and nothing else of what lies beside it: neither a checkout's folder nor
# the folder of the user's program belongs on a worker's import path.
_BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); import wfctl; del sys.path[0]; "
    "from wfctl.engine.local.server import main; main(*sys.argv[2:])"
)
_ROOT = str(Path(wfctl.__file__).parent.parent)


class ForkServerProcess:
    """One fork-server."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tell: Callable[[Message], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``environment`` is that of the server and its workers; ``None`` for that of this process."""
        self._environment = environment
        self._loop = loop
        self._tell = tell
        self._ready: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._outgoing: deque[tuple[Message, Sequence[int]]] = deque()
        self._line, self._their_line = open_pair()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process, once started."""
        return self._process.pid if self._process else None

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._ended.done()

    def start(self) -> None:
        """Start the process, which then waits for ``preload``."""
        fd = self._their_line.fileno()
        words = (_ROOT, str(fd), str(os.getpid()))
        # Its output is talk, and must not get between the answers on our standard output.
        talk = subprocess.DEVNULL if sys.__stderr__ is None else 2
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOTSTRAP, *words],
                stdin=subprocess.DEVNULL,
                stdout=talk,
                stderr=talk,
                env=self._environment,
                pass_fds=[fd],
                start_new_session=True,
            )
        except OSError as reason:
            self._line.close()
            raise WorkerError(f"the process that starts workers cannot be started: {reason}") from reason
        finally:
            self._their_line.close()
        self._line.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._loop.add_reader(self._line, self._read)

    def preload(self, libraries: Iterable[str]) -> None:
        """Have it import what workers will share; ``wait_ready`` says when it has."""
        self._send({"do": "preload", "libraries": list(libraries)})

    async def wait_ready(self) -> None:
        """Wait until workers can be asked for; raises ``WorkerError`` if that will never be."""
        await asyncio.shield(self._ready)

    def fork(self, worker: WorkerId, node: str, files: Sequence[int]) -> None:
        """Ask for a worker, which gets ``files``; they are closed here when they are sent."""
        self._send({"do": "fork", "worker": worker, "node": node}, files)

    def kill(self, worker: WorkerId) -> None:
        """Ask for a worker's end; of one that is gone already nothing is heard."""
        self._send({"do": "kill", "worker": worker})

    async def close(self, patience_s: float) -> None:
        """End all workers and the server; after ``patience_s`` seconds the hard way."""
        # While it imports it does not listen, and has no workers either.
        if self._process is None or not self._ready.done():
            self.end_now()
            return
        with contextlib.suppress(OSError):
            self._line.shutdown(1)
        try:
            async with asyncio.timeout(patience_s):
                await asyncio.shield(self._ended)
        except TimeoutError:
            pass
        finally:
            self.end_now()

    def end_now(self) -> None:
        """End the server process at once and wait for it; the kernel ends its workers with it."""
        if self._process is None:
            self._line.close()
            self._their_line.close()
        elif not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._finish("it was ended")

    def _send(self, message: Message, files: Sequence[int] = ()) -> None:
        if self._ended.done():
            _close(files)
            return
        self._outgoing.append((message, files))
        if len(self._outgoing) == 1:
            self._write()
            if self._outgoing:
                self._loop.add_writer(self._line, self._write_later)

    def _write_later(self) -> None:
        self._write()
        if not self._outgoing:
            self._loop.remove_writer(self._line)

    def _write(self) -> None:
        while self._outgoing:
            message, files = self._outgoing[0]
            try:
                send_message(self._line, message, files)
            except BlockingIOError:
                return
            except OSError:
                pass  # the server is gone, which the reading side tells
            _close(files)
            self._outgoing.popleft()

    def _read(self) -> None:
        try:
            message, _ = receive_message(self._line)
        except BlockingIOError:
            return
        except OSError:
            message = None
        if message is None:
            self._finish("the process that starts workers ended")
        elif message["event"] == "ready":
            self._ready.set_result(None)
        elif message["event"] == "failed":
            library = message["library"]
            text = f'workers cannot be started, for "{library}" cannot be imported: {message["message"]}'
            self._fail(text, hint=f"see what \"{sys.executable} -c 'import {library}'\" says")
        else:
            self._tell(message)

    def _fail(self, text: str, *, hint: str | None = None) -> None:
        if not self._ready.done():
            self._ready.set_exception(WorkerError(text, hint=hint))
            self._ready.exception()  # nobody may be waiting yet

    def _finish(self, reason: str) -> None:
        self._loop.remove_reader(self._line)
        if self._outgoing:
            self._loop.remove_writer(self._line)
        for _, files in self._outgoing:
            _close(files)
        self._outgoing.clear()
        self._line.close()
        # Its line is closed by its end, so this waits for the kernel's bookkeeping only.
        code = self._process.wait() if self._process else None
        self._ended.set_result(None)
        self._fail(f"{reason} (exit code {code})")
        self._tell({"event": "ended", "message": f"{reason} (exit code {code})"})


def _close(files: Sequence[int]) -> None:
    for each in files:
        os.close(each)
