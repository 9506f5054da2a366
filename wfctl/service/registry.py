"""The workflows of one server: opened, found, replaced and closed while requests come.

A workflow has a name and one or more versions; one of them is the default. Everything happens on one event loop.
Invariant: a version that can be found is open and warm, and one that is taken away answers what it has begun: whoever
finds one and submits in the same turn of the loop is answered.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from wfctl.engine.backend import WorkerReport
from wfctl.engine.measured import Measured
from wfctl.engine.running import Engines, RunningEngine
from wfctl.engine.watcher import WorkerWatcher
from wfctl.errors import WfctlError
from wfctl.plan import NodePlan
from wfctl.service.deployment import Deployment, OutputSink, write_output
from wfctl.service.engine_kinds import LocalEngines
from wfctl.service.prepare import Prepared, Request

T = TypeVar("T")

FIRST_VERSION = "1.0"
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")
_RESERVED = frozenset({"all", "nodes"})
"""Words that stand in the place of a version in paths."""
_MOST_REMEMBERED = 1000
"""Workers of a version whose start is known."""
BETWEEN = "__"
"""Between workflow and node in the name that a node has as a model."""


class UnknownWorkflowError(WfctlError):
    """There is no workflow of that name."""

    code = "unknown-workflow"


class UnknownVersionError(WfctlError):
    """The workflow has no such version."""

    code = "unknown-version"


class UnknownModelError(WfctlError):
    """No node of any workflow has that name as a model."""

    code = "unknown-model"


class UnknownModelVersionError(UnknownModelError):
    """The node has another version as a model."""

    code = "unknown-model-version"


class TakenError(WfctlError):
    """The workflow, or that version of it, is there already."""

    code = "already-registered"


class GoneError(WfctlError):
    """What was to be replaced is not there any more, or there is nobody to serve it."""

    code = "changed-meanwhile"


class InUseError(WfctlError):
    """The default version is not removed while there are others."""

    code = "default-version"


class BadNameError(WfctlError):
    """A name or a version that none can have."""

    code = "bad-name"


@dataclass(slots=True, kw_only=True)
class Wish:
    """What is to be opened, and how it is to be known."""

    request: Request
    url: str
    """As the caller named it."""
    version: str | None = None
    """``None`` for the first one there is."""
    instead_of: "Served | None" = None
    """Whose place it takes, if that is still there when it is warm."""


@dataclass(eq=False, slots=True, kw_only=True)
class Served:
    """One version of a workflow that is open."""

    name: str
    version: str
    wish: Wish
    deployment: Deployment
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it became ready."""
    ready_at: dict[int, float] = field(default_factory=dict)
    """Process of a worker -> when it became ready, seconds since the epoch."""

    @property
    def engine(self) -> RunningEngine:
        """What runs it."""
        return self.deployment.engine

    def node(self, name: str) -> NodePlan:
        """Return one node; raises ``UnknownModelError``."""
        node = self.node_or_none(name)
        if node is None:
            raise UnknownModelError(f"Model not found: {self.name}{BETWEEN}{name}")
        return node

    def node_or_none(self, name: str) -> NodePlan | None:
        """Return one node, if there is one of that name."""
        return next((node for node in self.deployment.prepared.plan.nodes if node.name == name), None)


class _Family:
    """The versions of one workflow."""

    def __init__(self, default: str) -> None:
        self.versions: dict[str, Served] = {}
        self.default = default


async def _unchanged() -> None:
    """Nobody is to be told."""


class RegistryWatcher:
    """Who is told what happens to workflows and their workers; this one does nothing with it."""

    def registered(self, served: Served) -> None:
        """Learn that a version of a workflow can be found."""

    def removed(self, served: Served) -> None:
        """Learn that it can be found no more."""

    def worker_ready(self, workflow: str, report: WorkerReport) -> None:
        """Learn that a worker takes calls."""

    def worker_lost(self, workflow: str, node: str, pid: int, reason: str) -> None:
        """Learn that a worker ended without being told to."""

    def worker_measured(self, workflow: str, node: str, pid: int, measured: Measured) -> None:
        """Take what the handler of a worker measured since its start."""


class _Workers(WorkerWatcher):
    """Watches the workers of one version."""

    def __init__(self, watchers: Sequence[RegistryWatcher]) -> None:
        self._watchers = watchers
        self.workflow = ""
        self.ready_at: dict[int, float] = {}
        """Process of a worker -> when it became ready, seconds since the epoch."""

    def ready(self, report: WorkerReport) -> None:
        """Take note of the time."""
        while len(self.ready_at) >= _MOST_REMEMBERED:
            del self.ready_at[next(iter(self.ready_at))]
        self.ready_at[report.pid] = datetime.now(UTC).timestamp()
        for each in self._watchers:
            each.worker_ready(self.workflow, report)

    def lost(self, node: str, pid: int, reason: str) -> None:
        """Forget it."""
        self.ready_at.pop(pid, None)
        for each in self._watchers:
            each.worker_lost(self.workflow, node, pid, reason)

    def measured(self, node: str, pid: int, measured: Measured) -> None:
        """Pass it on."""
        for each in self._watchers:
            each.worker_measured(self.workflow, node, pid, measured)


class Registry:
    """Opens workflows and finds them again."""

    def __init__(
        self,
        *,
        engines: Engines | None = None,
        on_output: OutputSink = write_output,
        watchers: Iterable[RegistryWatcher] = (),
    ) -> None:
        self._engines = engines or LocalEngines()
        self._families: dict[str, _Family] = {}
        self._opening: set[tuple[str, str]] = set()
        """Name and version of what is being opened."""
        self._is_closed = False
        self._on_output = on_output
        self.watchers = [*watchers]
        """Who is told what happens."""
        self._leaving: set[asyncio.Task[None]] = set()
        self._scaling: set[asyncio.Task[WfctlError | None]] = set()
        self.on_change: Callable[[], Awaitable[None]] = _unchanged
        """Awaited after each change of what is served, or how, before whoever asked for it is answered."""

    def __iter__(self) -> Iterator[Served]:
        """Yield every version of every workflow, by name and then in the order of opening."""
        for _, family in sorted(self._families.items()):
            yield from family.versions.values()

    # Finding

    def find(self, name: str, version: str | None = None) -> Served:
        """Return a workflow; raises ``UnknownWorkflowError`` or ``UnknownVersionError``."""
        family = self._family(name)
        found = family.versions.get(family.default if version is None else version)
        if found is None:
            raise UnknownVersionError(f"Workflow version: {version} does not exist for workflow: {name}")
        return found

    def find_model(self, model: str) -> tuple[Served, NodePlan]:
        """Return the node that is known as a model by this name; raises ``UnknownModelError``."""
        at = model.find(BETWEEN, 1)
        while at > 0:
            family = self._families.get(model[:at])
            if family is not None:
                served = family.versions[family.default]
                node = served.node_or_none(model[at + len(BETWEEN) :])
                if node is not None:
                    return served, node
            at = model.find(BETWEEN, at + 1)
        raise UnknownModelError(f"Model not found: {model}")

    def find_model_version(self, model: str, version: str | None) -> tuple[Served, NodePlan]:
        """Return a node as ``find_model`` does; raises ``UnknownModelVersionError`` for a version that it has not."""
        served, node = self.find_model(model)
        if version is not None and version != node.code.version:
            raise UnknownModelVersionError(f"Model version: {version} does not exist for model: {model}")
        return served, node

    def versions(self, name: str) -> tuple[Served, ...]:
        """Return every version of a workflow; raises ``UnknownWorkflowError``."""
        return tuple(self._family(name).versions.values())

    def defaults(self) -> list[Served]:
        """Return the default version of every workflow, by name."""
        return [family.versions[family.default] for _, family in sorted(self._families.items())]

    def is_default(self, served: Served) -> bool:
        """Whether requests that name no version get this one."""
        family = self._families.get(served.name)
        return family is not None and family.default == served.version

    def _family(self, name: str) -> _Family:
        family = self._families.get(name)
        if family is None:
            raise UnknownWorkflowError(f"Workflow not found: {name}")
        return family

    # Changing

    async def register(self, wish: Wish) -> Served:
        """Open a workflow and have it found once it is warm.

        Raises ``TakenError``, what ``open_deployment`` raises, and ``BadNameError``.
        """
        claims: list[tuple[str, str]] = []
        workers = _Workers(self.watchers)

        def claim(prepared: Prepared) -> None:
            claims.append(self._claim(prepared.plan.workflow_name, wish))
            workers.workflow = prepared.plan.workflow_name

        deployment = Deployment(
            wish.request, engines=self._engines, on_output=self._on_output, on_prepared=claim, watcher=workers
        )
        try:
            await deployment.__aenter__()
            name, version = claims[0]
            served = Served(name=name, version=version, wish=wish, deployment=deployment, ready_at=workers.ready_at)
            try:
                self._take_in(served)
            except GoneError:
                await deployment.__aexit__(None, None, None)
                raise
        finally:
            self._opening.difference_update(claims)
        await self.on_change()
        return served

    def _claim(self, name: str, wish: Wish) -> tuple[str, str]:
        """Keep a name and version free for what is being opened; called in a thread."""
        family = self._families.get(name)
        usual = family.default if family is not None and wish.instead_of is not None else FIRST_VERSION
        version = usual if wish.version is None else wish.version
        if not _NAME.fullmatch(name):
            raise BadNameError(f'"{name}" is no name for a workflow', hint="use letters, digits, _, - and .")
        if not _VERSION.fullmatch(version) or version in _RESERVED:
            raise BadNameError(f'"{version}" is no version', hint="use letters, digits, _, - and ., as in 2.0")
        claimed = (name, version)
        is_there = family is not None and (version in family.versions or wish.version is None)
        if claimed in self._opening or (is_there and wish.instead_of is None):
            which = f"Workflow {name}" if wish.version is None else f"Workflow {name} version {version}"
            raise TakenError(f"{which} is already registered.")
        self._opening.add(claimed)
        return claimed

    def _take_in(self, served: Served) -> None:
        family = self._families.get(served.name)
        before = None if family is None else family.versions.get(served.version)
        if self._is_closed or before is not served.wish.instead_of:
            raise GoneError(f"Workflow {served.name} was changed meanwhile, or is served no more.")
        family = self._families.setdefault(served.name, _Family(served.version))
        family.versions[served.version] = served
        served.wish.instead_of = None  # what is served keeps nothing of what was
        if before is not None:
            self._let_go(before)
        for each in self.watchers:
            each.registered(served)

    async def set_default(self, name: str, version: str) -> None:
        """Have requests that name no version get this one."""
        self.find(name, version)
        self._families[name].default = version
        await self.on_change()

    async def unregister(self, name: str, version: str | None = None) -> None:
        """Take a workflow away, or one version of it; returns once it has answered what it had begun.

        Raises ``InUseError`` for the default version while there are others.
        """
        family = self._family(name)
        if version is None:
            going = list(family.versions.values())
        else:
            going = [self.find(name, version)]
            if version == family.default and len(family.versions) > 1:
                raise InUseError(f"Cannot remove default version: {version} for workflow: {name}")
        for served in going:
            del family.versions[served.version]
        if not family.versions:
            del self._families[name]
        leaving = [self._let_go(served) for served in going]
        await self.on_change()
        await asyncio.gather(*leaving)

    async def scale(self, served: Served, node: str, least: int, most: int) -> WfctlError | None:
        """Have a node run with other numbers of workers; returns why one of the new ones did not start."""
        failure = await served.engine.scale(served.node(node).name, least, most)
        await self.on_change()
        return failure

    def scale_soon(self, served: Served, node: str, least: int, most: int) -> None:
        """Do what ``scale`` does, without waiting for the new workers."""
        work = self.scale(served, served.node(node).name, least, most)
        task = asyncio.get_running_loop().create_task(work)
        self._scaling.add(task)
        task.add_done_callback(self._scaling.discard)

    async def close(self) -> None:
        """Take every workflow away; what is being opened finds nobody."""
        self._is_closed = True
        for served in self:
            self._let_go(served)
        self._families.clear()
        while self._leaving:
            await asyncio.gather(*self._leaving, return_exceptions=True)

    def _let_go(self, served: Served) -> "asyncio.Task[None]":
        """Close what cannot be found any more, once it has answered."""
        for each in self.watchers:
            each.removed(served)
        task = asyncio.get_running_loop().create_task(served.deployment.__aexit__(None, None, None))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task
