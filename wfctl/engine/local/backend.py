"""Workers as processes of this machine, forked from one warm fork-server.

Invariant: decides nothing, and which GPU a worker gets is said by ``devices``; everything runs on the caller's event
loop and nothing blocks it; when ``close`` returns no process of ours is left, whatever handlers were doing.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wfctl.engine.backend import WorkerId, WorkerListener, WorkerReport
from wfctl.engine.call import Call, random_digits
from wfctl.engine.devices import DeviceShares
from wfctl.engine.local.control import Message
from wfctl.engine.local.endings import describe_ending
from wfctl.engine.local.fork_server import ForkServerProcess
from wfctl.engine.local.libraries import shared_libraries
from wfctl.engine.local.link import WorkerEnds, WorkerLink
from wfctl.engine.wire.frames import FrameKind, encode_frame
from wfctl.engine.worker.start import WorkerStart
from wfctl.errors import UnsupportedError, WorkerError
from wfctl.plan import ExecutionPlan, NodePlan

_GRACE_S = 0.5
"""How long idle workers may take for their own clean-up when the backend closes."""
_PATIENCE_S = 1.0
"""How long the fork-server may take to end the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStatistics:
    """The processes of one backend at one moment."""

    fork_server_pid: int | None
    worker_pids: Mapping[WorkerId, int]


class LocalBackend:
    """Hosts every worker in a process of its own."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """``environment`` is that of workers and of what they come from; ``None`` for that of this process."""
        self._environment = environment
        self._links: dict[WorkerId, WorkerLink] = {}
        self._planned: dict[WorkerId, NodePlan] = {}
        """Workers that are to start by another plan than the one that was opened with."""
        self._shares = DeviceShares()
        self._plan: ExecutionPlan | None = None
        self._listener: WorkerListener | None = None
        self._server: ForkServerProcess | None = None
        self._closing: asyncio.Task[None] | None = None
        self._request_ids = random_digits()

    def start_early(self) -> None:
        """Start the fork-server before there is a plan: a new interpreter takes as long as reading a workflow.

        Called at most once, before ``open``, on the running loop; ``close`` must follow whatever comes of the plan.
        """
        if sys.platform == "linux":  # elsewhere ``open`` refuses
            self._server = self._started_server()

    async def open(self, plan: ExecutionPlan, listener: WorkerListener) -> None:
        """Tell the fork-server what to import; that is waited for when the first worker is."""
        if sys.platform != "linux":
            raise UnsupportedError(
                f'worker processes are not supported on "{sys.platform}"',
                hint="run the workflow in this process (--inline), or on Linux",
            )
        self._plan, self._listener = plan, listener
        if self._server is None or self._server.has_ended:
            self._server = self._started_server()
        self._server.preload(shared_libraries(plan))

    def plan_worker(self, worker: WorkerId, planned: NodePlan) -> None:
        """Start this worker by another plan of its node; what only that needs it imports itself."""
        self._planned[worker] = planned

    async def start_worker(self, node: str, worker: WorkerId) -> WorkerReport:
        """Start one worker of ``node`` and return when it can take batches."""
        plan, listener = self._opened()
        begun, limit = time.monotonic(), plan.startup_timeout_of(node)
        link: WorkerLink | None = None
        try:
            async with asyncio.timeout(limit):
                server = await self._ready_server(plan)
                link = self._links[worker] = self._forked(server, node, worker, plan, listener)
                pid = await link.wait_ready()
        except TimeoutError:
            text = f'a worker of node "{node}" was not ready after {limit:g} seconds'
            if link is not None:
                link.end(text)
                await asyncio.wait([link.gone], timeout=_PATIENCE_S)
            raise TimeoutError(text) from None
        except asyncio.CancelledError:
            if link is not None:
                link.end("its start was given up")
            raise
        return WorkerReport(worker=worker, node=node, pid=pid, load_s=time.monotonic() - begun)

    def send_calls(self, worker: WorkerId, calls: Sequence[Call]) -> None:
        """Hand calls to a worker; of one that is lost nothing more is heard than its loss."""
        link = self._links.get(worker)
        if link is not None:
            link.send_calls(calls)

    def withdraw_calls(self, worker: WorkerId, call_ids: Sequence[int]) -> None:
        """Ask a worker not to begin these calls."""
        link = self._links.get(worker)
        if link is not None:
            link.withdraw_calls(call_ids)

    def running_batch(self, worker: WorkerId) -> int | None:
        """Return the batch that a worker runs at this moment, 0 for none."""
        link = self._links.get(worker)
        return None if link is None else link.running_batch

    def ask_metrics(self, worker: WorkerId) -> bool:
        """Ask a worker for what its handler measured, at most once a second; returns whether it was asked."""
        link = self._links.get(worker)
        return link is not None and link.ask_metrics()

    def retire_worker(self, worker: WorkerId) -> None:
        """Let a worker end that has no calls."""
        link = self._links.get(worker)
        if link is not None:
            link.retire()

    def kill_worker(self, worker: WorkerId) -> None:
        """End a worker at once, whatever it does."""
        link = self._links.get(worker)
        if link is not None:
            link.end("it was ended by the engine")

    def statistics(self) -> LocalStatistics:
        """Return the processes there are now."""
        server = self._server.pid if self._server is not None and not self._server.has_ended else None
        pids = {worker: link.pid for worker, link in self._links.items() if link.pid is not None}
        return LocalStatistics(fork_server_pid=server, worker_pids=pids)

    async def close(self) -> None:
        """End every worker and the fork-server: idle workers by themselves, the others by force."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            for link in self._links.values():
                link.end_input()
            if self._links:
                await asyncio.wait([link.gone for link in self._links.values()], timeout=_GRACE_S)
            if self._server is not None:
                await self._server.close(_PATIENCE_S)
        finally:
            if self._server is not None:
                self._server.end_now()

    def _opened(self) -> tuple[ExecutionPlan, WorkerListener]:
        if self._plan is None or self._listener is None or self._closing is not None:
            raise WorkerError("the backend is not open")
        return self._plan, self._listener

    def _started_server(self) -> ForkServerProcess:
        try:
            server = ForkServerProcess(asyncio.get_running_loop(), self._take, self._environment)
        except OSError as reason:
            text = f"the process that starts workers cannot be started: {reason}"
            raise WorkerError(text, hint="raise the limit of open files (ulimit -n)") from reason
        server.start()
        return server

    async def _ready_server(self, plan: ExecutionPlan) -> ForkServerProcess:
        """Wait for the fork-server; one that was ended from outside is replaced."""
        server = self._server
        if server is None or server.has_ended:
            server = self._server = self._started_server()
            server.preload(shared_libraries(plan))
        await server.wait_ready()
        return server

    def _forked(
        self, server: ForkServerProcess, node: str, worker: WorkerId, plan: ExecutionPlan, listener: WorkerListener
    ) -> WorkerLink:
        planned = self._planned.pop(worker, None) or next(each for each in plan.nodes if each.name == node)
        share = self._shares.next_for(planned)
        start = WorkerStart(
            node=planned,
            threads=_threads(plan),
            request_ids=self._request_ids,
            gpu_id=None if share is None else share.gpu,
        )
        try:
            ends = WorkerEnds()
        except OSError as reason:
            text = f'a worker of node "{node}" cannot be started: {reason}'
            raise WorkerError(text, hint="raise the limit of open files (ulimit -n)") from reason
        loop = asyncio.get_running_loop()
        link = WorkerLink(worker, node, ends, loop=loop, listener=listener, kill=server.kill)
        server.fork(worker, node, ends.files)
        self._shares.hold(worker, share)
        link.write(encode_frame(FrameKind.START, 0, b"", [pickle.dumps(start)]))
        return link

    def _take(self, message: Message) -> None:
        """Take what the fork-server tells."""
        match message["event"]:
            case "forked":
                link = self._links.get(WorkerId(message["worker"]))
                if link is not None:
                    link.pid = message["pid"]
            case "exited":
                self._finish(WorkerId(message["worker"]), describe_ending(message["code"]))
            case "refused":
                self._finish(WorkerId(message["worker"]), f"no new process: {message['message']}")
            case _:
                self._finish_all(str(message["message"]))

    def _finish(self, worker: WorkerId, ending: str) -> None:
        link = self._links.pop(worker, None)
        self._shares.give_back(worker)
        if link is not None:
            link.finish(ending, is_told=self._closing is None)

    def _finish_all(self, ending: str) -> None:
        """End what a fork-server left behind that was itself killed: its workers die with it, their children not."""
        for worker, link in list(self._links.items()):
            if link.pid is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(link.pid, signal.SIGKILL)
            self._finish(worker, ending)


def _threads(plan: ExecutionPlan) -> int:
    workers = sum(node.settings.max_workers for node in plan.nodes)
    return max(1, len(os.sched_getaffinity(0)) // max(1, workers))
