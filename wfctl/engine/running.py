"""What every running engine offers, wherever its nodes are hosted: the seam below deployments, servers and bulk runs.

Invariant: protocols and plain values only.
"""

import asyncio
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, runtime_checkable

from wfctl.engine.call import Face, Headers, Part
from wfctl.engine.core.outcome import RunResult, TimedAttempt
from wfctl.engine.statistics import EngineStatistics
from wfctl.engine.watcher import OnOutput, WorkerWatcher
from wfctl.errors import OverloadedError, WfctlError
from wfctl.plan import ExecutionPlan


class AnyRun(Protocol):
    """One workflow executed on one input, by whichever engine."""

    @property
    def error(self) -> WfctlError | None:
        """Why it has no answer."""

    @property
    def is_settled(self) -> bool:
        """Whether it is over."""

    @property
    def attempts(self) -> Sequence[TimedAttempt | None]:
        """Of each node the attempt that counts, ``None`` where it has not come to one."""


class RunningEngine(Protocol):
    """An engine at work; ``engine.Engine`` says what each of these does."""

    async def run(
        self, parts: Sequence[Part], headers: Mapping[str, str] = ..., *, deadline_s: float | None = None
    ) -> RunResult:
        """Run the workflow once and return its answer."""

    def submit(
        self,
        parts: Sequence[Part],
        headers: Mapping[str, str] | Headers,
        on_settled: Callable[[AnyRun], None],
        *,
        deadline_s: float | None = None,
        only: str | None = None,
        face: Face = Face.NONE,
    ) -> AnyRun:
        """Begin a run without waiting."""

    def withdraw(self, run: Any) -> None:
        """Forget a run of this engine that nobody waits for any more."""

    def result(self, run: Any) -> RunResult:
        """Return the answer of a settled run of this engine, or raise why it has none."""

    async def scale(self, node: str, least: int, most: int) -> WfctlError | None:
        """Run a node with so many workers from now on."""

    async def renew(self, plan: ExecutionPlan, names: Collection[str]) -> tuple[list[str], list[WfctlError]]:
        """Go over to other code and settings of some nodes of the same graph."""

    @property
    def plan(self) -> ExecutionPlan:
        """What is followed now."""

    def refusal(self) -> OverloadedError | None:
        """Return why a run would be refused at this moment."""

    def statistics(self) -> EngineStatistics:
        """Return what the engine is doing and has done."""

    def ask_metrics(self) -> int:
        """Ask workers for what handlers measured; returns how many can answer at once."""


class StreamedRun(AnyRun, Protocol):
    """A run that came out of a stream, settled."""

    @property
    def number(self) -> int:
        """Of its input."""

    def result(self) -> RunResult:
        """Return the answer, or raise why there is none."""


NumberedInputs = Iterator[Sequence[tuple[int, Sequence[Part]]]]
"""Numbers and parts of inputs, some at a time."""


@runtime_checkable
class StreamingEngine(Protocol):
    """An engine that takes many inputs as one stream, and nothing else; its methods block, and are for threads."""

    @property
    def plan(self) -> ExecutionPlan:
        """What is followed."""

    def answers(self, inputs: NumberedInputs) -> Generator[Sequence[StreamedRun], None, None]:
        """Yield the runs in the order of their inputs, which are read in another thread; asked for once."""

    def stop(self) -> None:
        """Have ``answers`` end soon, with whatever error; for another thread."""

    def statistics(self) -> EngineStatistics:
        """Return what was done to the inputs that are through."""


class EngineStart(Protocol):
    """What one deployment has begun to start, before it knows its plan."""

    def opened(
        self, plan: ExecutionPlan, *, on_output: OnOutput, watcher: WorkerWatcher | None
    ) -> AbstractAsyncContextManager[RunningEngine]:
        """Start the nodes; entering returns once all are ready, leaving waits for the runs in flight."""

    async def close(self) -> None:
        """End whatever was started, also where nothing was opened."""


class Engines(Protocol):
    """One way of hosting nodes: in this process, in processes of this machine, on a cluster."""

    @property
    def is_inline(self) -> bool:
        """Whether nodes run in this very process and thread."""

    def begin(self, environment: Mapping[str, str] | None) -> EngineStart:
        """Begin to start what can be started before a workflow is read; workers get ``environment``, or this one's."""

    def limits(self, plan: ExecutionPlan) -> tuple[str, ...]:
        """Return sentences on what of a plan is not honoured."""


async def run_once(
    engine: RunningEngine, parts: Sequence[Part], headers: Mapping[str, str], deadline_s: float | None
) -> RunResult:
    """Submit a run to an engine, wait for its end and return its answer; cancelling withdraws the run's work."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(_: AnyRun) -> None:
        if not future.done():
            future.set_result(None)

    run = engine.submit(parts, headers, wake, deadline_s=deadline_s)
    try:
        await future
    except asyncio.CancelledError:
        engine.withdraw(run)
        raise
    try:
        return engine.result(run)
    finally:
        del run  # it has the error, whose traceback has this frame: a cycle, which only the collector could free
