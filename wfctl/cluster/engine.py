"""The engine of one plan on Ray Serve: what ``engine.Engine`` is for worker processes, with Serve in its place.

Serve has the queues, the batches and the replicas; this asks, waits and counts. Invariant: everything that blocks runs
in threads; what a run fails with is told to whoever asked for it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from wfctl.cluster.layout import most_runs_of, patience_of
from wfctl.cluster.passage import Passage, Roads
from wfctl.cluster.pauses import pauses
from wfctl.cluster.runs import ClusterRun, error_of
from wfctl.cluster.session import SESSION
from wfctl.cluster.staff import Staff
from wfctl.cluster.tallies import Tallies
from wfctl.engine.call import NO_HEADERS, Face, Headers, Part
from wfctl.engine.core.outcome import RunResult
from wfctl.engine.running import run_once
from wfctl.engine.statistics import EngineStatistics
from wfctl.engine.watcher import WorkerWatcher
from wfctl.errors import (
    DeadlineExceededError,
    InternalError,
    OverloadedError,
    UnsupportedError,
    WfctlError,
    WorkerError,
)
from wfctl.plan import ExecutionPlan, NodePlan

_NONE: Mapping[str, str] = MappingProxyType({})
_REPLACEMENT_S = 30.0
"""For Serve to put a replica in the place of one that died, beside the time-outs of the nodes."""
_FOUND_S = 0.02


class Nodes(Protocol):
    """The nodes of a plan as deployments of Serve."""

    @property
    def is_own(self) -> bool:
        """Whether this process has deployed them, as many as the plan says."""

    async def deploy(self, plan: ExecutionPlan) -> None:
        """Have them there, by this plan."""

    def handles(self, plan: ExecutionPlan) -> Mapping[str, Any]:
        """Return the handle of each."""

    async def delete(self) -> None:
        """Take them away."""


@asynccontextmanager
async def open_ray_engine(
    plan: ExecutionPlan, application: Nodes, watcher: WorkerWatcher
) -> "AsyncIterator[RayEngine]":
    """Deploy a plan and yield its engine once every node has its replicas; leaving waits for the runs in flight."""
    try:
        await application.deploy(plan)
        engine = RayEngine(plan, application, watcher)
        await engine.find_replicas()
        try:
            yield engine
            await engine.wait_drained()
            await engine.flush()
        finally:
            await engine.close()
    finally:
        await application.delete()


class RayEngine:
    """Runs one plan; made by ``open_ray_engine``."""

    def __init__(self, plan: ExecutionPlan, application: Nodes, watcher: WorkerWatcher) -> None:
        self._plan = plan
        self._application = application
        self._loop = asyncio.get_running_loop()
        self._handles = application.handles(plan)
        self._staff = Staff(self._handles, watcher)
        patience = patience_of(plan)
        self._roads = Roads(plan.nodes, self._handles, patience, self._staff.note_loss)
        self._tallies = Tallies(plan)
        self._by_name = {node.name: node for node in plan.nodes}
        self._runs: dict[int, ClusterRun] = {}
        self._last_run = 0
        self._most_runs = most_runs_of(plan)
        self._patience_s = max(patience.values()) + _REPLACEMENT_S
        self._is_closing = False
        self._drained: asyncio.Future[None] | None = None
        self._changing = asyncio.Lock()
        self._measuring: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"RayEngine({self._plan.workflow_name!r}, {len(self._runs)} runs)"

    # Opening and closing

    async def find_replicas(self) -> None:
        """Wait until as many replicas as there should be have told of themselves; raises ``WorkerError``."""
        ends_at = self._loop.time() + max(self._plan.startup_timeout_of(node.name) for node in self._plan.nodes)
        for pause_s in pauses(_FOUND_S):
            await self._staff.find()
            if all(map(self._is_staffed, self._plan.nodes)):
                return
            if self._is_closing or self._loop.time() > ends_at:
                raise WorkerError("Serve has other replicas than it was asked for", hint="`ray status` tells more")
            await asyncio.sleep(pause_s)  # a handle is told of replicas by Serve, and tells nobody

    def _is_staffed(self, node: NodePlan) -> bool:
        ready, settings = self._staff.ready(node.name), node.settings
        if not self._application.is_own:
            return ready > 0
        return settings.min_workers <= ready <= settings.max_workers

    async def wait_drained(self) -> None:
        """Refuse new runs and wait until those in flight are settled."""
        self._is_closing = True
        if self._runs:
            self._drained = self._loop.create_future()
            await self._drained

    async def flush(self) -> None:
        """Wait for what handlers have printed so far, if it comes here."""
        if self._application.is_own:
            await self._staff.flush(SESSION.printed)

    async def close(self) -> None:
        """Give up what still runs."""
        self._is_closing = True
        running = [run.task for run in self._runs.values() if run.task is not None]
        for run in list(self._runs.values()):
            self._settle(run, WorkerError("the workflow was shut down while the run was in flight"))
            if run.task is not None:
                run.task.cancel()
        if self._measuring is not None:
            self._measuring.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._staff.close()

    # Runs

    async def run(
        self, parts: Sequence[Part], headers: Mapping[str, str] = _NONE, *, deadline_s: float | None = None
    ) -> RunResult:
        """Run the workflow once and return its answer; raises what ``Engine.run`` raises."""
        return await run_once(self, parts, headers, deadline_s)

    def submit(
        self,
        parts: Sequence[Part],
        headers: Mapping[str, str] | Headers,
        on_settled: Callable[[ClusterRun], None],
        *,
        deadline_s: float | None = None,
        only: str | None = None,
        face: Face = Face.NONE,
    ) -> ClusterRun:
        """Begin a run without waiting; ``on_settled`` is called once, on the loop, possibly before this returns."""
        if not isinstance(headers, Headers):
            headers = Headers(headers) if headers else NO_HEADERS
        self._last_run += 1
        run = ClusterRun(
            self._last_run,
            parts,
            headers,
            only=None if only is None else self._by_name[only],
            face=face.among(self._roads.leaves),
            limit_s=deadline_s,
            on_settled=on_settled,
        )
        refusal = self.refusal()
        if refusal is not None:
            run.error, run.is_settled = refusal, True
            on_settled(run)
            return run
        self._runs[run.number] = run
        run.task = self._loop.create_task(self._conduct(run))
        return run

    def withdraw(self, run: ClusterRun) -> None:
        """Forget a run nobody waits for any more; harmless for a settled one."""
        if not run.is_settled:
            run.is_settled = True
            self._forget(run)
            if run.task is not None:
                run.task.cancel()

    def result(self, run: ClusterRun) -> RunResult:
        """Return the answer of a settled run, or raise why it has none."""
        return run.result()

    async def _conduct(self, run: ClusterRun) -> None:
        passage = Passage(self._roads, run, is_hurried=self._plan.is_adaptive and len(self._runs) == 1)
        try:
            error = await self._carried(run, passage)
        except asyncio.CancelledError:
            passage.give_up()
            self._settle(run, WorkerError("the run was given up by Ray"))  # unless it was withdrawn
            raise
        except Exception as failure:  # noqa: BLE001 - supervisor: who asked is to be told
            error = InternalError(f"the run could not be carried out on Ray: {failure!r}")
        if run.passed:
            run.note_times(self._loop.time())
            failed = run.passed[0][1].failure
            error = error or (None if failed is None else error_of(failed))
            self._tallies.note(run.steps, None if failed is None else failed.node)
        if error is not None:
            passage.give_up()
        self._settle(run, error)

    async def _carried(self, run: ClusterRun, passage: Passage) -> WfctlError | None:
        limit_s = min(run.limit_s or self._patience_s, self._patience_s)
        try:
            async with asyncio.timeout(limit_s) as clock:
                run.passed = await passage.carry(clock)
        except TimeoutError:
            return _late(run, await passage.where(), self._patience_s)
        except WfctlError as failure:
            return failure
        return None

    def _settle(self, run: ClusterRun, error: WfctlError | None) -> None:
        if run.is_settled:
            return
        run.is_settled, run.error = True, error
        self._forget(run)
        run.on_settled(run)

    def _forget(self, run: ClusterRun) -> None:
        self._runs.pop(run.number, None)
        if self._drained is not None and not self._runs and not self._drained.done():
            self._drained.set_result(None)

    # Changes while it runs

    async def scale(self, node: str, least: int, most: int) -> WfctlError | None:
        """Run ``node`` with so many replicas from now on; returns why they are not there."""
        if not self._application.is_own:
            return UnsupportedError("its replicas are those of a config file", hint=_DEPLOY)
        async with self._changing:
            own = self._by_name[node]
            wanted = replace(own, settings=replace(own.settings, min_workers=least, max_workers=most))
            plan = replace(self._plan, nodes=tuple(wanted if each.name == node else each for each in self._plan.nodes))
            await self._staff.tell_measured()  # what those count that are let go would be lost
            try:
                await self._application.deploy(plan)
                self._plan, self._by_name[node] = plan, wanted
                self._most_runs = most_runs_of(plan)
                await self.find_replicas()
            except WfctlError as error:
                return error
        return None

    async def renew(self, plan: ExecutionPlan, names: Collection[str]) -> tuple[list[str], list[WfctlError]]:
        """Refuse: of new code that does not load Serve would be left without the old."""
        del plan, names
        return [], [UnsupportedError("nodes on Ray do not go over to other code while they run", hint=_REGISTER)]

    @property
    def plan(self) -> ExecutionPlan:
        """What is followed now."""
        return self._plan

    def refusal(self) -> OverloadedError | None:
        """Return why a run would be refused at this moment, ``None`` if it would not."""
        if self._is_closing:
            return OverloadedError("the workflow is shutting down")
        if len(self._runs) >= self._most_runs:
            return OverloadedError(
                f"{len(self._runs)} runs are in flight",
                hint='send less at a time, give the nodes more workers, or raise "queue-size"',
            )
        return None

    def statistics(self) -> EngineStatistics:
        """Return what is known of the replicas, and have them asked again."""
        self._staff.look_again()
        nodes = self._tallies.statistics(self._plan, self._staff.there())
        return EngineStatistics(runs=len(self._runs), nodes=nodes, late_answers=0, stray_answers=0)

    def ask_metrics(self) -> int:
        """Have replicas asked for what handlers measured; they answer over the network, so nobody waits for them."""
        if self._measuring is None or self._measuring.done():
            self._measuring = self._loop.create_task(self._staff.tell_measured())
            self._measuring.add_done_callback(_take_note)
        return 0


_DEPLOY = "change the file, and `serve deploy` it again"
_REGISTER = "register the changed workflow as another version, or update it in place"


def _take_note(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()  # replicas that are away for a moment tell it the next time


def _late(run: ClusterRun, node: NodePlan, patience_s: float) -> DeadlineExceededError:
    if run.limit_s is not None and run.limit_s <= patience_s:
        words = f'the run was not done after {run.limit_s:g} s; it was at node "{node.name}"'
    else:
        words = f'node "{node.name}" has no replica that answers: all attempts of the run would be over by now'
    return DeadlineExceededError(
        words, node=node.name, attempts=1, status=504, was_waiting=run.limit_s is None, hint="`ray status` tells more"
    )
