"""A workflow that is opened for many inputs, which flow through it as one stream: on Ray Data.

The counterpart of ``Deployment``, which answers one request at a time.
"""

from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from wfctl.diagnostics.report import Report
from wfctl.engine.running import StreamingEngine
from wfctl.errors import InternalError
from wfctl.service.deployment import OutputSink
from wfctl.service.engine_kinds import environment_without
from wfctl.service.portal import ThreadPortal
from wfctl.service.prepare import Prepared, Request, prepare

T = TypeVar("T")


class Streaming:
    """One workflow on Ray Data, as a context manager; nothing starts before it is entered."""

    limits: tuple[str, ...] = ()
    """Nothing of a plan is left out: what Ray cannot do is refused."""

    def __init__(
        self,
        request: Request,
        *,
        ray_address: str | None,
        on_output: OutputSink,
        on_prepared: Callable[[Prepared], None],
    ) -> None:
        self._request = request
        self._address = ray_address
        self._on_output = on_output
        self._on_prepared = on_prepared
        self._stack = ExitStack()
        self._portal: ThreadPortal | None = None
        self._prepared: Prepared | None = None
        self._engine: StreamingEngine | None = None

    @property
    def report(self) -> Report:
        """Warnings and notes of the check that the workflow passed."""
        if self._prepared is None:
            raise InternalError("a stream was asked before it was entered")
        return self._prepared.report

    @property
    def engine(self) -> StreamingEngine:
        """What takes the inputs."""
        if self._engine is None:
            raise InternalError("a stream was asked before it was entered")
        return self._engine

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on an event loop and wait for it; an interrupt cancels it and sees it end."""
        if self._portal is None:
            raise InternalError("a stream was asked before it was entered")
        return self._portal.call(work)

    def __enter__(self) -> Self:
        from wfctl.cluster.engines import expect_ray

        expect_ray()
        with ExitStack() as stack:
            self._prepared = prepared = prepare(self._request)
            stack.callback(prepared.remove)
            self._on_prepared(prepared)
            self._engine = self._entered(prepared, stack)
            self._portal = ThreadPortal()
            stack.callback(self._portal.stop)
            self._stack = stack.pop_all()
        return self

    def _entered(self, prepared: Prepared, stack: ExitStack) -> StreamingEngine:
        from wfctl.cluster.refusals import refuse_impossible

        refuse_impossible(prepared.plan)
        from wfctl.cluster.session import SESSION

        SESSION.enter(self._address)
        stack.callback(SESSION.leave)
        from wfctl.cluster.engines import hidden_names
        from wfctl.cluster.pipeline import RayPipeline

        hidden = hidden_names(environment_without(self._request.hidden_variables))
        return RayPipeline(prepared.plan, hidden, self._on_output)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
