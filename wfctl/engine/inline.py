"""The inline backend: every node in this process, so that ``breakpoint()``, profilers and tracebacks work.

A handler is called on the event loop's own thread and blocks the loop while it runs; that is the point of it.
What one interpreter cannot give, and ``inline_limits`` says of a plan: no time-out interrupts a handler or a load,
and all workers of a node share one loaded copy and take turns. An answer that comes late is still an answer.

Invariant: between two calls the interpreter is as it was before: modules of user code, ``__main__`` and ``ts`` among
them, import path and finders, working directory, standard streams. ``torch`` and all else that is installed is shared.
"""

import asyncio
import io
import os
import signal
import sys
import threading
from asyncio import _get_running_loop, _set_running_loop
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from itertools import groupby
from pathlib import Path
from time import monotonic
from traceback import format_exception
from types import ModuleType
from typing import TextIO

from wfctl.engine.backend import WorkerId, WorkerListener, WorkerReport
from wfctl.engine.call import WITHDRAWN, Call, CallAnswer, CallError, Pieces
from wfctl.engine.devices import DeviceShares
from wfctl.engine.inline_limits import SHARED, refuse_impossible
from wfctl.hosting.held import hold_late_libraries
from wfctl.hosting.host import Host, load_host
from wfctl.hosting.pickles import own_pickles_allowed
from wfctl.hosting.place import path_beginning_with
from wfctl.plan import ExecutionPlan, NodePlan


class InlineBackend:
    """Calls handlers where the engine runs; one loaded copy per node."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodePlan] = {}
        self._loaded: dict[str, _LoadedNode] = {}
        self._shares = DeviceShares()
        self._workers: dict[WorkerId, str] = {}
        self._withdrawn: set[int] = set()
        self._listener: WorkerListener | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"InlineBackend({len(self._loaded)} nodes loaded)"

    async def open(self, plan: ExecutionPlan, listener: WorkerListener) -> None:
        """Remember who listens; nothing is loaded yet. Raises ``UnsupportedError`` for what cannot be honoured."""
        refuse_impossible(plan)
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._nodes = {node.name: node for node in plan.nodes}

    def plan_worker(self, worker: WorkerId, planned: NodePlan) -> None:
        """Take another plan of a node; what one interpreter has loaded it keeps."""
        del worker
        self._nodes[planned.name] = planned

    async def start_worker(self, node: str, worker: WorkerId) -> WorkerReport:
        """Load the node, unless another of its workers has; raises ``LoadError``."""
        began = monotonic()
        if node not in self._loaded and self._listener is not None:
            share = self._shares.next_for(self._nodes[node])
            gpu_id = None if share is None else share.gpu
            self._loaded[node] = _LoadedNode(self._nodes[node], self._listener, gpu_id)
            self._shares.hold(node, share)
        self._workers[worker] = node
        return WorkerReport(worker=worker, node=node, pid=os.getpid(), load_s=monotonic() - began)

    def send_calls(self, worker: WorkerId, calls: Sequence[Call]) -> None:
        """Call the handler once a batch, each in a turn of the loop of its own."""
        if self._loop is not None:
            for _, batch in groupby(calls, key=lambda call: call.batch_id):
                self._loop.call_soon(self._answer, worker, list(batch))

    def withdraw_calls(self, worker: WorkerId, call_ids: Sequence[int]) -> None:
        """Remember which calls are not wanted any more."""
        if worker in self._workers:
            self._withdrawn.update(call_ids)

    def running_batch(self, worker: WorkerId) -> int | None:
        """Return nothing: whoever asks runs between two batches."""

    def ask_metrics(self, worker: WorkerId) -> bool:  # noqa: ARG002 - nobody is asked
        """Ask nobody: what handlers measure stays in their contexts."""
        return False

    def retire_worker(self, worker: WorkerId) -> None:
        """Forget a worker."""
        self._forget(worker)

    def _answer(self, worker: WorkerId, calls: Sequence[Call]) -> None:
        node = self._workers.get(worker)
        if node is None or self._listener is None:
            return
        dropped = [call for call in calls if call.call_id in self._withdrawn]
        if dropped:
            self._withdrawn.difference_update(call.call_id for call in dropped)
            self._listener.worker_answered(worker, [CallAnswer(call.call_id, WITHDRAWN) for call in dropped])
            calls = [call for call in calls if call not in dropped]
        if calls:
            self._listener.worker_answered(worker, self._loaded[node].answer(calls))

    def kill_worker(self, worker: WorkerId) -> None:
        """Forget a worker, and with the last one of a node its loaded copy; a running handler is not interrupted."""
        if self._forget(worker) and self._loop is not None and self._listener is not None:
            self._loop.call_soon(self._listener.worker_lost, worker, "given up")

    def _forget(self, worker: WorkerId) -> bool:
        node = self._workers.pop(worker, None)
        if node is not None and node not in self._workers.values():
            del self._loaded[node]
            self._shares.give_back(node)
        return node is not None

    async def close(self) -> None:
        """Forget everything that was loaded."""
        self._workers.clear()
        self._loaded.clear()


class _LoadedNode:
    """One node's code, with the surroundings it sees."""

    def __init__(self, node: NodePlan, listener: WorkerListener, gpu_id: int | None) -> None:
        hold_late_libraries(node.code.model_dir, *node.code.import_paths)
        self._surroundings = _Surroundings(node, listener)
        with self._surroundings.entered():
            self._host: Host = load_host(node, gpu_id=gpu_id)

    def answer(self, calls: Sequence[Call]) -> list[CallAnswer]:
        """Call the handler; whatever it raises but the keyboard's interrupt is a failure of the node."""
        try:
            with self._surroundings.entered():
                return [_settled(answer) for answer in self._host.answer(calls)]
        except KeyboardInterrupt:
            raise
        except BaseException as reason:  # noqa: BLE001 - the worker's loop: user code may raise anything
            text = "".join(format_exception(reason))
            error = CallError(repr(reason), traceback_text=text, is_of_batch=True)
            return [CallAnswer(call.call_id, error.status, error=error) for call in calls]


def _settled(answer: CallAnswer) -> CallAnswer:
    """Take the body out of the handler's memory, and make it final if it was a debugger that was left.

    Another attempt would only stop at the same place again.
    """
    if type(answer.body) is Pieces:
        answer.body = bytes(answer.body)
    if answer.error is not None and (answer.error.traceback_text or "").rstrip().endswith("bdb.BdbQuit"):
        answer.error.is_final = True
    return answer


_EACH_NODES = frozenset({"__main__", "ts"})
"""Module names that mean something else in each node, also where its folder has nothing of that name."""


class _Surroundings:
    """Modules, import path, folder and streams of one node in an interpreter that it shares with others."""

    def __init__(self, node: NodePlan, listener: WorkerListener) -> None:
        self._folder = Path(node.code.model_dir)
        self._folders = (self._folder, *map(Path, node.code.import_paths))
        self._is_trusted = node.code.is_trusted
        self._names = _EACH_NODES.union(*map(_own_names, self._folders))
        # A worker's main module is nobody's; handlers put classes there for pickles to find.
        self._modules: dict[str, ModuleType] = {"__main__": ModuleType("__main__")}
        self._finders = sys.meta_path[:]
        self._path = path_beginning_with(node.code.model_dir, node.code.import_paths)
        self._out = _NodeStream(node.name, "stdout", listener)
        self._err = _NodeStream(node.name, "stderr", listener)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Put the interpreter into the node's state, and take it out again."""
        path, finders = sys.path[:], sys.meta_path[:]
        hidden = _take_modules(self._is_own_name)
        sys.modules.update(self._modules)
        known = set(sys.modules)
        sys.path[:], sys.meta_path[:] = self._path, self._finders
        self._out.behind = self._err.behind = (sys.stdout, sys.stderr)
        try:
            with (
                chdir(self._folder),
                redirect_stdout(self._out),
                redirect_stderr(self._err),
                own_pickles_allowed(is_trusted=self._is_trusted),
                _no_running_loop(),
                _interruptible(),
            ):
                yield
        finally:
            self._out.end_line()
            self._err.end_line()
            self._path, sys.path[:] = sys.path[:], path
            self._finders, sys.meta_path[:] = sys.meta_path[:], finders
            self._modules = _take_modules(lambda name: self._is_own_name(name) or self._brought(name, known))
            sys.modules.update(hidden)

    def _is_own_name(self, name: str) -> bool:
        return name in self._modules or name.partition(".")[0] in self._names

    def _brought(self, name: str, known: set[str]) -> bool:
        """Say whether a module came from the node's folder by another way than its name (a changed import path)."""
        place = getattr(sys.modules[name], "__file__", None)
        return name not in known and isinstance(place, str) and any(map(Path(place).is_relative_to, self._folders))


def _own_names(folder: Path) -> frozenset[str]:
    found = {path.name.partition(".")[0] for path in folder.iterdir() if path.is_dir() or path.suffix in {".py", ".so"}}
    return frozenset(
        name for name in found if not name.startswith("__") and name not in SHARED | sys.stdlib_module_names
    )


def _take_modules(is_taken: Callable[[str], bool]) -> dict[str, ModuleType]:
    return {name: sys.modules.pop(name) for name in tuple(sys.modules) if is_taken(name)}


@contextmanager
def _no_running_loop() -> Iterator[None]:
    """Hide the engine's loop, so that a handler may use ``asyncio.run`` as it may in a worker."""
    loop = _get_running_loop()
    _set_running_loop(None)
    try:
        yield
    finally:
        _set_running_loop(loop)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C stop a handler at once; the loop's own way of taking it waits until the handler is done."""
    if threading.current_thread() is not threading.main_thread() or not callable(signal.getsignal(signal.SIGINT)):
        yield  # not ours to change, or ignored on purpose
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _NodeStream(io.TextIOBase):
    """Standard output or error of one node: whole lines go to the listener.

    A line begun and flushed is a prompt somebody waits at (the debugger's): it goes straight to the terminal.
    """

    def __init__(self, node: str, stream: str, listener: WorkerListener) -> None:
        super().__init__()
        self._node, self._stream, self._listener = node, stream, listener
        self._begun = ""
        self.behind: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        """Standard output and error of this process while the node's code runs."""

    def write(self, text: str) -> int:
        """Pass on every line that ``text`` ends."""
        *lines, self._begun = (self._begun + text).split("\n")
        # Who is told may print the line: on the streams of this process, not on this one again.
        with redirect_stdout(self.behind[0]), redirect_stderr(self.behind[1]):
            for line in lines:
                self._listener.worker_printed(self._node, self._stream, line)
        return len(text)

    def flush(self) -> None:
        """Show a prompt."""
        if self._begun:
            self.behind[1].write(self._begun)
            self.behind[1].flush()
            self._begun = ""

    def end_line(self) -> None:
        """Pass on a last line without an end."""
        if self._begun:
            self.write("\n")

    def writable(self) -> bool:
        """Say yes: it is for writing."""
        return True

    def fileno(self) -> int:
        """Return the terminal's descriptor, for what is written past Python."""
        return self.behind[1].fileno()

    def isatty(self) -> bool:
        """Say whether somebody may be watching."""
        return self.behind[1].isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Encoding of the terminal."""
        return self.behind[1].encoding
