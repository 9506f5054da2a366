"""The Python door: open a workflow, ask it for answers, close it.

``open_deployment`` takes a spec, a folder or a ``.war`` and gives a ``Deployment``, which is a context manager both
with ``with`` and with ``async with``. Nothing starts before the block is entered, and everything has ended when it
is left: worker processes, threads, temporary folders.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from os import PathLike
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from wfctl.diagnostics.report import Report
from wfctl.engine.call import Part
from wfctl.engine.running import Engines, RunningEngine
from wfctl.engine.watcher import WorkerWatcher
from wfctl.errors import WfctlError
from wfctl.service.answer import Answer
from wfctl.service.engine_kinds import engines_named, environment_without
from wfctl.service.inputs import body_part, form_parts
from wfctl.service.options import Options, request_for
from wfctl.service.portal import InlinePortal, Portal, ThreadPortal
from wfctl.service.prepare import Prepared, Request, prepare
from wfctl.store.stop import Stop

T = TypeVar("T")

OutputSink = Callable[[str, str, str], None]
"""Called with node, stream (``stdout`` or ``stderr``) and one line without its line end."""


class NotOpenError(WfctlError):
    """A deployment is asked outside its ``with`` block, or is entered a second time."""

    code = "not-open"


def write_output(node: str, stream: str, line: str) -> None:
    """Write what user code printed to standard error, the node's name in front."""
    del stream
    sys.stderr.write(f"[{node}] {line}\n")
    sys.stderr.flush()


def open_deployment(
    path: str | PathLike[str],
    *,
    inline: bool = False,
    engine: str = "local",
    ray_address: str | None = None,
    on_output: OutputSink = write_output,
    **options: Unpack[Options],
) -> "Deployment":
    """Return the deployment of the workflow at ``path``, to be entered.

    >>> with open_deployment("samples/digits") as digits:  # doctest: +SKIP
    ...     digits.predict({"image": pixels}).json()["digit"]
    7

    ``path`` is a spec, a folder, a ``.war``, the name of an archive in ``workflow_store``, or a url. ``inline`` runs
    every node in this process, for ``breakpoint()`` and profilers; without it each node has worker processes of its
    own, and with ``engine="ray"`` replicas on Ray: one that is started here, or the cluster at ``ray_address``.
    ``on_output`` gets each line that user code prints. ``service.options.Options`` says what else can be given:
    ``handler``, ``model_store``, ``until``, ``startup_timeout_s``, ``install_requirements`` and others.

    Nothing is fetched but what ``allowed_urls`` allows. What was fetched runs only if its digest is pinned (``sha256``
    in the spec for a model; ``url#sha256=...`` or the option ``sha256`` for the workflow) or with ``trust``.

    Entering it raises ``InvalidWorkflowError`` with the whole report, ``ArchiveError``, ``StoreError`` for a model
    that is nowhere or may not be fetched or run, ``UnsupportedError`` for what is not possible here, or ``LoadError``
    with the traceback of the code that failed to load.
    """
    engines = engines_named(engine, inline=inline, ray_address=ray_address)
    return Deployment(request_for(path, options), engines=engines, on_output=on_output)


class Deployment:
    """One running workflow; made by ``open_deployment``."""

    def __init__(
        self,
        request: Request,
        *,
        engines: Engines,
        on_output: OutputSink,
        on_prepared: Callable[[Prepared], None] | None = None,
        watcher: WorkerWatcher | None = None,
    ) -> None:
        self._request = request
        self._watcher = watcher
        self._on_prepared = on_prepared
        """Called in a thread before any worker starts; what it raises ends the opening."""
        self._engines = engines
        self._on_output = on_output
        self._stack: AsyncExitStack | None = None
        self._portal: Portal | None = None
        self._engine: RunningEngine | None = None
        self._prepared: Prepared | None = None

    def __repr__(self) -> str:
        state = "open" if self._engine else "not open"
        return f"<Deployment of {str(self._request.path)!r}, {state}>"

    @property
    def name(self) -> str:
        """Name of the workflow."""
        return _open(self._prepared).plan.workflow_name

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, parents first."""
        return tuple(node.name for node in _open(self._prepared).plan.nodes)

    @property
    def request(self) -> Request:
        """What was to be opened."""
        return self._request

    @property
    def prepared(self) -> Prepared:
        """The plan that is followed, and what it was made from."""
        return _open(self._prepared)

    @property
    def report(self) -> Report:
        """Warnings and notes of the check that the workflow passed."""
        return _open(self._prepared).report

    @property
    def limits(self) -> tuple[str, ...]:
        """Sentences on what is not honoured where its nodes run; empty for worker processes."""
        return self._engines.limits(_open(self._prepared).plan)

    @property
    def engine(self) -> RunningEngine:
        """The running engine; its ``statistics()`` tell queues and worker processes."""
        return _open(self._engine)

    def predict(
        self,
        value: Any = b"",
        *,
        content_type: str | None = None,
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Run the workflow on one input and return its answer.

        ``value`` becomes the request's body: bytes as they are, text as UTF-8, anything else as JSON
        (``content_type`` overrides). ``fields`` sends form fields instead. Raises ``RunError`` with the node, the
        number of attempts and the handler's traceback, or ``DeadlineExceededError``.
        """
        portal = _open(self._portal)
        return portal.call(self.apredict(value, content_type=content_type, fields=fields, headers=headers))

    def predict_many(
        self, values: Iterable[Any], *, content_type: str | None = None, window: int = 64
    ) -> Iterator[Answer]:
        """Run the workflow on many inputs, at most ``window`` at a time, and yield the answers in input order.

        The first input that fails raises where its answer would stand; what was running then is withdrawn.
        """
        running: deque[Any] = deque()
        try:
            for value in values:
                portal = _open(self._portal)  # asked each time: the caller may close it between two answers
                running.append(portal.submit(self.apredict(value, content_type=content_type)))
                if len(running) >= window:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()

    async def apredict(
        self,
        value: Any = b"",
        *,
        content_type: str | None = None,
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Do what ``predict`` does, on the caller's event loop; cancelling it withdraws the work."""
        parts = body_part(value, content_type) if fields is None else form_parts(fields)
        return await self.apredict_parts(parts, headers=headers)

    def predict_parts(self, parts: tuple[Part, ...], *, headers: Mapping[str, str] | None = None) -> Answer:
        """Run the workflow on ready-made request parts."""
        return _open(self._portal).call(self.apredict_parts(parts, headers=headers))

    async def apredict_parts(self, parts: tuple[Part, ...], *, headers: Mapping[str, str] | None = None) -> Answer:
        """Run the workflow on ready-made request parts, on the caller's event loop."""
        return Answer(await self.engine.run(parts, headers or {}))

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the engine's event loop and wait for it; an interrupt cancels it and sees it end."""
        return _open(self._portal).call(work)

    def __enter__(self) -> Self:
        portal = InlinePortal() if self._engines.is_inline else ThreadPortal()
        try:
            portal.call(self.__aenter__())
        except BaseException:
            portal.stop()
            raise
        self._portal = portal
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        portal, self._portal = _open(self._portal), None
        try:
            portal.call(self.__aexit__(kind, error, trace))
        finally:
            portal.stop()

    async def __aenter__(self) -> Self:
        if self._stack is not None:
            raise NotOpenError("a deployment is opened once", hint="call open_deployment again for another one")
        async with AsyncExitStack() as stack:
            start = self._engines.begin(environment_without(self._request.hidden_variables))
            stack.push_async_callback(start.close)
            found = await prepared(self._request)
            stack.push_async_callback(asyncio.to_thread, found.remove)
            if self._on_prepared is not None:
                await asyncio.to_thread(self._on_prepared, found)
            self._engine = await stack.enter_async_context(
                start.opened(found.plan, on_output=self._on_output, watcher=self._watcher)
            )
            self._prepared = found
            self._stack = stack.pop_all()
        return self

    async def renew(self, names: Collection[str], prepared: Prepared) -> list[str]:
        """Go over to another plan of the same graph, in which only these nodes differ; returns those that did.

        Raises why the first of the others did not: they go on with what they have. What was prepared is removed with
        the deployment, or at once if nothing of it is used.
        """
        renewed, failures = await self.engine.renew(prepared.plan, names)
        if renewed and self._stack is not None:
            self._stack.push_async_callback(asyncio.to_thread, prepared.remove)
            self._prepared = _open(self._prepared).with_nodes_of(prepared, renewed, self.engine.plan)
        else:
            await asyncio.to_thread(prepared.remove)
        if failures:
            raise failures[0]
        return renewed

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine = None
        if self._stack is not None:
            await self._stack.aclose()


async def prepared(request: Request) -> Prepared:
    """Prepare in a thread: a caller who gives up ends its downloads, waits for it and takes it down."""
    stop = Stop()
    work = asyncio.ensure_future(asyncio.to_thread(prepare, request, stop))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([work])
        if not work.cancelled() and work.exception() is None:
            work.result().remove()
        raise


def _open(part: T | None) -> T:
    if part is None:
        raise NotOpenError(
            "the deployment is not open",
            hint="call it inside `with open_deployment(...) as deployment:`; inside `async with`, await apredict",
        )
    return part
