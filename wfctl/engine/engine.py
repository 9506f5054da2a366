"""The engine of one plan: carries out what the core decides, on one event loop.

Owns the timer, the futures of the runs and the tasks that start workers. Invariant: nothing polls, but for a moment
after calls went to a fast node, and every decision is taken in ``engine/core``. An exception of ours fails the runs in
flight and surfaces when the engine is closed; it is never only logged.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf
from types import MappingProxyType
from typing import TypeVarTuple

from wfctl.engine.backend import WorkerBackend, WorkerId, WorkerReport
from wfctl.engine.call import NO_HEADERS, CallAnswer, Face, Headers, Part, RequestIds, random_digits
from wfctl.engine.core import changes, events
from wfctl.engine.core.commands import (
    AskProgress,
    Command,
    KillWorker,
    RetireWorker,
    SendCalls,
    SettleRun,
    StartWorker,
    WithdrawCalls,
)
from wfctl.engine.core.outcome import RunResult, run_result
from wfctl.engine.core.records import Run
from wfctl.engine.core.state import CoreState
from wfctl.engine.editions import Editions
from wfctl.engine.measured import Measured
from wfctl.engine.renewal import Renewal
from wfctl.engine.running import run_once
from wfctl.engine.short_wait import SHORT_S, ShortWait
from wfctl.engine.starts import Starts
from wfctl.engine.statistics import EngineStatistics, statistics_of
from wfctl.engine.watcher import OnOutput, WorkerWatcher, ask_ready_workers
from wfctl.errors import InternalError, OverloadedError, WfctlError, WorkerError
from wfctl.plan import ExecutionPlan

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_Details = TypeVarTuple("_Details")

_MANY = 16
"""Runs of one turn of the loop that are not made to wait for its end."""


@asynccontextmanager
async def open_engine(
    plan: ExecutionPlan, backend: WorkerBackend, *, on_output: OnOutput, watcher: WorkerWatcher | None = None
) -> "AsyncIterator[Engine]":
    """Start the workers of ``plan`` and yield the engine once all of them are ready.

    ``min-workers`` of every node are started at once. The first that fails to load ends it all, with its
    ``LoadError``. Leaving the block waits for the runs in flight; leaving it by an exception gives them up.
    """
    engine = Engine(plan, backend, on_output, watcher or WorkerWatcher())
    try:
        await engine.start()
        yield engine
        await engine.wait_drained()
    finally:
        await engine.close()
    engine.raise_broken()


class Engine:
    """Runs one plan; made by ``open_engine``. Also the listener of its backend."""

    def __init__(
        self, plan: ExecutionPlan, backend: WorkerBackend, on_output: OnOutput, watcher: WorkerWatcher
    ) -> None:
        self._plan = plan
        self._backend = backend
        self._on_output = on_output
        self._watcher = watcher
        self._loop = asyncio.get_running_loop()
        self._state = CoreState(plan, RequestIds(random_digits()))
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._starts = Starts(plan, backend, self)
        self._editions = Editions(plan)
        self._drained: asyncio.Future[None] | None = None
        self._broken: BaseException | None = None
        self._is_open = False
        self._turn_will_end = False
        self._short_wait = ShortWait(self._loop)
        self._last_handed_out = 0
        self._many = max(_MANY, *(node.settings.batch_size for node in plan.nodes))

    def __repr__(self) -> str:
        return f"Engine({self._plan.workflow_name!r}, {len(self._state.runs)} runs)"

    # Opening and closing

    async def start(self) -> None:
        """Start the backend and the workers; return when all are ready."""
        await self._backend.open(self._plan, self)
        self._is_open = True
        await self._starts.first(lambda: self._carry_out(events.opened(self._state)))

    async def wait_drained(self) -> None:
        """Refuse new runs and wait until those in flight are settled."""
        self._carry_out(events.closing_began(self._state))
        if self._state.runs and self._broken is None:
            self._drained = self._loop.create_future()
            await self._drained

    async def close(self) -> None:
        """Give up what still runs and end every worker."""
        self._is_open = False
        self._carry_out(events.closing_began(self._state))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._settle(
            events.all_failed(self._state, WorkerError("the workflow was shut down while the run was in flight"))
        )
        try:
            await self._starts.give_up()
        finally:
            await self._backend.close()

    def raise_broken(self) -> None:
        """Raise the exception of ours that stopped the engine, if there was one."""
        if self._broken is not None:
            raise _stopped_by(self._broken) from self._broken

    # Runs

    async def run(
        self, parts: Sequence[Part], headers: Mapping[str, str] = _NO_HEADERS, *, deadline_s: float | None = None
    ) -> RunResult:
        """Run the workflow once and return its answer.

        Raises ``RunError`` (a node failed), ``DeadlineExceededError`` (a node used up its time, or the run its
        ``deadline_s`` seconds), ``OverloadedError`` (refused). Cancelling withdraws the run's work.
        """
        return await run_once(self, parts, headers, deadline_s)

    def submit(
        self,
        parts: Sequence[Part],
        headers: Mapping[str, str] | Headers,
        on_settled: Callable[[Run], None],
        *,
        deadline_s: float | None = None,
        only: str | None = None,
        face: Face = Face.NONE,
    ) -> Run:
        """Begin a run without waiting; ``on_settled`` is called once, on the loop, possibly before this returns.

        ``only`` asks one node by itself: it gets the parts as an entry does and its output is the answer. ``face`` is
        the protocol that the parts are in; what the answer's body holds by it is told by ``hosting/protocols``.
        """
        if self._broken is not None:
            self.raise_broken()
        if not self._is_open:
            raise OverloadedError("the workflow is shut down")
        if not isinstance(headers, Headers):
            headers = Headers(headers) if headers else NO_HEADERS
        limit_s = inf if deadline_s is None else deadline_s
        try:
            asked = None if only is None else self._state.by_name[only]
            now = self._loop.time()
            run, commands = events.run_submitted(
                self._state, parts, headers, on_settled, now, limit_s, asked, face.among(self._state.leaves)
            )
            if commands:
                self._carry_out(commands)
        except Exception as error:
            self._break(error)
            raise _stopped_by(error) from error
        if not self._turn_will_end:
            # Runs that come in one turn of the loop go together, in one batch and one write. A run that is all alone
            # is not made to wait for company that it could only share the write with.
            if len(self._state.runs) == 1 and not self._state.batches_entries:
                self._end_turn()
            else:
                self._turn_will_end = True
                self._last_handed_out = run.number
                self._loop.call_soon(self._end_turn)
        elif run.number - self._last_handed_out >= self._many:
            # So many that workers can begin while the rest of them arrive.
            self._last_handed_out = run.number
            self._hand_out()
        return run

    def withdraw(self, run: Run) -> None:
        """Forget a run nobody waits for any more; harmless for a settled one."""
        self._react(events.run_cancelled, run, self._loop.time())
        self._note_drained()

    def result(self, run: Run) -> RunResult:
        """Return the answer of a settled run, or raise why it has none."""
        try:
            if run.error is not None:
                raise run.error
            return run_result(self._state, run)
        finally:
            del run  # as in ``run_once``

    # Changes while it runs

    async def scale(self, node: str, least: int, most: int) -> WfctlError | None:
        """Run ``node`` with so many workers from now on; those that are too many end after what they have.

        Waits for those that are missing, and returns why one of them did not start.
        """
        self._react(changes.scaled, self._state.by_name[node], least, most, self._loop.time())
        return await self._starts.of_node(node)

    async def renew(self, plan: ExecutionPlan, names: Collection[str]) -> tuple[list[str], list[WfctlError]]:
        """Go over to other code and settings of some nodes of the same graph, one node after another.

        Each is tried in a worker of its own first; one that does not load goes on with what it has. Returns the nodes
        that went over, and why the others did not.
        """
        return await Renewal(self._state, self._starts, self._editions, self._react).run(plan, names)

    @property
    def plan(self) -> ExecutionPlan:
        """What is followed now."""
        return self._editions.plan

    def refusal(self) -> OverloadedError | None:
        """Return why a run would be refused at this moment, ``None`` if it would not; nothing is begun by asking."""
        if not self._is_open:
            return OverloadedError("the workflow is shut down")
        return events.refusal_now(self._state)

    def statistics(self) -> EngineStatistics:
        """Return what the engine is doing and has done."""
        return statistics_of(self._state)

    def ask_metrics(self) -> int:
        """Ask workers for what handlers measured, for the watcher; returns how many can answer at once."""
        return ask_ready_workers(self._state, self._backend)

    # What the backend tells (WorkerListener)

    def worker_answered(self, worker: WorkerId, answers: Sequence[CallAnswer]) -> None:
        """Take the answers to one or more calls."""
        self._react(events.calls_answered, worker, answers, self._loop.time())

    def worker_lost(self, worker: WorkerId, reason: str, running: int | None = None) -> None:
        """Learn that a ready worker is gone."""
        slot = self._state.workers.get(worker)
        if slot is not None:
            self._watcher.lost(slot.node.name, slot.pid, reason)
        self._react(events.worker_lost, worker, reason, self._loop.time(), running)

    def worker_printed(self, node: str, stream: str, line: str) -> None:
        """Pass on a line that user code printed."""
        self._pass_on(self._on_output, node, stream, line)

    def worker_measured(self, worker: WorkerId, node: str, pid: int, measured: Measured) -> None:
        """Pass on what a handler measured."""
        del worker
        self._pass_on(self._watcher.measured, node, pid, measured)

    def _pass_on(self, take: Callable[[*_Details], None], *details: *_Details) -> None:
        try:
            take(*details)
        except Exception as error:  # noqa: BLE001 - supervisor: the backend's reader must not swallow it
            self._break(error)

    # Acting

    def _react(self, event: Callable[[CoreState, *_Details], list[Command]], *details: *_Details) -> None:
        """Let the core take an event and carry out what follows; an exception of ours stops the engine."""
        try:
            self._carry_out(event(self._state, *details))
        except Exception as error:  # noqa: BLE001 - supervisor: who tells has no use for it, and would swallow it
            self._break(error)

    def _carry_out(self, commands: list[Command]) -> None:
        ahead = iter(commands)
        try:
            for command in ahead:
                if isinstance(command, SendCalls):
                    self._backend.send_calls(command.worker, command.calls)
                    if command.calls[0].node.batch_time_s < SHORT_S:
                        self._short_wait.begin()
                elif isinstance(command, SettleRun):
                    command.run.on_settled(command.run)
                    self._note_drained()
                else:
                    self._carry_out_rare(command)
        except Exception as error:
            self._broken = self._broken or error
            self._settle(ahead)
            raise
        if self._state.wake_at < self._timer_at:
            self._set_timer()

    def _settle(self, commands: Iterable[Command]) -> None:
        """Tell of every run that is over, whoever cannot bear to hear it; the core has forgotten these runs."""
        for command in commands:
            if isinstance(command, SettleRun):
                try:
                    command.run.on_settled(command.run)
                except Exception as error:  # noqa: BLE001 - supervisor: the others are to be told all the same
                    self._broken = self._broken or error
        self._note_drained()

    def _carry_out_rare(self, command: WithdrawCalls | AskProgress | StartWorker | KillWorker | RetireWorker) -> None:
        match command:
            case WithdrawCalls():
                self._backend.withdraw_calls(command.worker, command.call_ids)
            case AskProgress():
                running = self._backend.running_batch(command.worker)
                self._carry_out(events.progress_told(self._state, command.worker, running, self._loop.time()))
            case StartWorker():
                if self._is_open:
                    self._start_worker(command)
            case KillWorker():
                self._backend.kill_worker(command.worker)
            case RetireWorker():
                self._starts.end(command.worker)
                self._backend.retire_worker(command.worker)

    def _start_worker(self, command: StartWorker) -> None:
        slot = self._state.workers.get(command.worker)
        own = None if slot is None else self._editions.plan_of(command.node, slot.edition)
        if own is not None:
            self._backend.plan_worker(command.worker, own)
        self._starts.start(command.node, command.worker)

    def _end_turn(self) -> None:
        self._turn_will_end = False
        self._hand_out()

    def _hand_out(self) -> None:
        self._react(events.turn_ended, self._loop.time())

    # What becomes of starts (StartListener)

    def worker_ready(self, report: WorkerReport) -> None:
        """Put a worker to work."""
        self._carry_out(events.worker_ready(self._state, report.worker, report.pid, self._loop.time()))
        self._watcher.ready(report)

    def worker_failed(self, worker: WorkerId, failure: WfctlError) -> None:
        """Go on without a worker."""
        self._carry_out(events.worker_failed(self._state, worker, failure, self._loop.time()))

    def start_broke(self, error: BaseException) -> None:
        """Stop, for an exception of ours."""
        self._break(error)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = wake_at = self._state.wake_at
        if wake_at < inf and self._is_open:
            self._timer = self._loop.call_at(wake_at, self._time_passed)

    def _time_passed(self) -> None:
        # The loop may call a clock tick early; the core must not be asked twice for the same moment.
        now = max(self._loop.time(), self._timer_at)
        self._timer, self._timer_at = None, inf
        self._react(events.time_passed, now)

    def _note_drained(self) -> None:
        if self._drained is not None and not self._state.runs and not self._drained.done():
            self._drained.set_result(None)

    def _break(self, error: BaseException) -> None:
        if self._broken is None:
            self._broken = error
        cause = _stopped_by(error)
        cause.__cause__ = error
        self._settle(events.all_failed(self._state, cause))


def _stopped_by(error: BaseException) -> InternalError:
    return InternalError(f"the engine stopped: {error!r}")
