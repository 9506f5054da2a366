"""What a server can be asked to be watched: ``GET /metrics``, in the text format 0.0.4 of Prometheus.

The only module that knows the library for that format. Invariant: labels hold names of workflows that are registered,
of their nodes and of live workers, and nothing that a client sent; what is told says nothing of payloads.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol
from urllib.parse import parse_qsl

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from wfctl.engine.backend import WorkerReport
from wfctl.engine.measured import Measured
from wfctl.engine.running import AnyRun
from wfctl.engine.statistics import EngineStatistics, NodeStatistics
from wfctl.service.registry import BETWEEN, Registry, RegistryWatcher, Served, UnknownWorkflowError
from wfctl.web.asked import Asked
from wfctl.web.watch.handler_metrics import HandlerMetrics
from wfctl.web.watch.machine import Processors, read_disk, read_memory
from wfctl.web.watch.original_metrics import Family, family_text, machine_families, request_families, worker_family
from wfctl.web.watch.tallies import BOUNDS_S, Tallies, WorkflowTally
from wfctl.web.wire.messages import Response

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NODE = ("workflow", "version", "node")
_VERSION = ("workflow", "version")
_MOST_LOADS = 4096
"""Workers whose time to load is remembered."""
_PATIENCE_S = 0.05
"""What workers that have nothing to do are waited for, when they are asked what their handlers measured."""

_NODE_GAUGES: tuple[tuple[str, str, Callable[[NodeStatistics], float]], ...] = (
    ("wfctl_node_queue_length", "Calls that wait for a worker.", lambda node: node.queued),
    ("wfctl_node_running_calls", "Calls at workers, those handed ahead included.", lambda node: node.running),
    ("wfctl_node_workers_ready", "Workers that take calls.", lambda node: len(node.worker_pids)),
    ("wfctl_node_workers_starting", "Workers that load.", lambda node: node.starting),
    ("wfctl_node_workers_min", "Workers that there should be.", lambda node: node.least),
    ("wfctl_node_workers_max", "Workers that there may be.", lambda node: node.most),
    (
        "wfctl_node_batch_seconds",
        "What a batch takes its handler at present, a moving average; 0 while nothing was measured.",
        lambda node: node.batch_time_s,
    ),
)
_NODE_COUNTERS: tuple[tuple[str, str, Callable[[NodeStatistics], float]], ...] = (
    ("wfctl_node_done_total", "Runs in which the node succeeded.", lambda node: node.done),
    ("wfctl_node_failed_total", "Runs that the node failed.", lambda node: node.failed),
    ("wfctl_node_retried_total", "Attempts after the first, and calls sent again alone.", lambda node: node.retried),
    ("wfctl_node_batches_total", "Batches sent to workers.", lambda node: node.batches),
    ("wfctl_node_batched_calls_total", "Calls in batches sent to workers.", lambda node: node.sent),
    ("wfctl_node_workers_lost_total", "Workers that ended without being told to.", lambda node: node.lost),
)


class Clients(Protocol):
    """Who knows the connections of a server."""

    @property
    def connections(self) -> int:
        """Clients that are connected."""

    @property
    def turned_away(self) -> int:
        """Clients that came when there were as many as are served."""


class Metrics(RegistryWatcher):
    """Counts what is answered, and tells of it; a ``Witness``, and a watcher of the registry for its workers."""

    def __init__(self, registry: Registry, *, hostname: str) -> None:
        self._registry = registry
        self._hostname = hostname
        self._tallies = Tallies(registry)
        self._processors = Processors()
        self._load_s: dict[int, float] = {}
        """Process of a worker -> seconds that it took to load, in the order of their starts."""
        self._handlers = HandlerMetrics()
        self._heard = 0
        """How often workers told what their handlers measured."""
        self._was_heard = asyncio.Event()
        self.clients: Clients | None = None
        """Who is asked for connections; they are not told of before it is set."""

    # What happens

    def answered(self, asked: Asked, response: Response, took_s: float) -> None:
        """Count an answer; ``took_s`` from the head of the request on."""
        self._tallies.answered(asked, response, took_s)

    def ran(self, asked: Asked, run: AnyRun) -> None:
        """Take the times of a run that is settled, before it is answered."""
        self._tallies.ran(asked, run)

    def worker_ready(self, workflow: str, report: WorkerReport) -> None:
        """Take how long a worker took to load."""
        self._handlers.worker_gone(workflow, report.node, report.pid)  # one that had this number before
        self._load_s.pop(report.pid, None)
        self._load_s[report.pid] = report.load_s
        if len(self._load_s) > _MOST_LOADS:
            del self._load_s[next(iter(self._load_s))]

    def worker_lost(self, workflow: str, node: str, pid: int, reason: str) -> None:
        """Forget it, but not what it counted."""
        del reason
        self._load_s.pop(pid, None)
        self._handlers.worker_gone(workflow, node, pid)

    def worker_measured(self, workflow: str, node: str, pid: int, measured: Measured) -> None:
        """Take what a handler measured, unless its workflow was taken away."""
        with suppress(UnknownWorkflowError):
            self._registry.versions(workflow)
            self._handlers.take(workflow, node, pid, measured)
        self._heard += 1
        self._was_heard.set()

    # What is told

    async def refresh(self) -> None:
        """Ask workers what their handlers measured, and wait a moment for those that have nothing else to do."""
        heard = self._heard + sum(each.engine.ask_metrics() for each in self._registry)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while self._heard < heard:
                    self._was_heard.clear()
                    await self._was_heard.wait()

    def render(self, names: Sequence[str] = ()) -> tuple[bytes, str]:
        """Return the metrics and the type of their text; with ``names`` only samples and metrics called so."""
        self._tallies.forget_gone()
        served = [(each, each.engine.statistics()) for each in self._registry]
        self._handlers.forget_gone(_nodes_of(served))
        wanted = frozenset(names)
        theirs = "".join(family_text(each) for each in self._theirs(served) if not wanted or each.name in wanted)
        ours = CollectorRegistry(auto_describe=False)
        ours.register(_Held(_chosen(self._ours(served), wanted)))
        theirs += self._handlers.text(self._hostname, wanted)
        return theirs.encode() + generate_latest(ours), CONTENT_TYPE

    def _theirs(self, served: list[tuple[Served, EngineStatistics]]) -> Iterator[Family]:
        host = self._hostname
        yield from request_families(self._tallies, host)
        yield worker_family(self._loads(served), host)
        yield from machine_families(self._processors.percent(), read_memory(), read_disk(), host)

    def _loads(self, served: list[tuple[Served, EngineStatistics]]) -> Iterator[tuple[str, float]]:
        for each, told in served:
            for node in told.nodes:
                for pid in node.worker_pids:
                    if pid in self._load_s:
                        yield f"W-{pid}-{each.name}{BETWEEN}{node.node}_{each.version}", self._load_s[pid]

    def _ours(self, served: list[tuple[Served, EngineStatistics]]) -> Iterator[Metric]:
        nodes = [((each.name, each.version, node.node), node) for each, told in served for node in told.nodes]
        for name, help_text, read in _NODE_GAUGES:
            yield _filled(GaugeMetricFamily(name, help_text, labels=_NODE), ((at, read(node)) for at, node in nodes))
        for name, help_text, read in _NODE_COUNTERS:
            yield _filled(CounterMetricFamily(name, help_text, labels=_NODE), ((at, read(node)) for at, node in nodes))
        yield from _versions(served)
        yield from _requests(self._tallies.workflows)
        dropped = "Series of handlers that are not told, added up over workers: too many, or names that do not fit."
        family = CounterMetricFamily("wfctl_handler_series_dropped_total", dropped, labels=("workflow", "node"))
        yield _filled(family, self._handlers.dropped())
        if self.clients is not None:
            yield GaugeMetricFamily("wfctl_connections", "Clients that are connected.", value=self.clients.connections)
            yield CounterMetricFamily(
                "wfctl_connections_turned_away_total",
                "Clients that came when there were as many as are served.",
                value=self.clients.turned_away,
            )


async def scraped_response(metrics: Metrics, asked: Asked) -> Response:
    """Answer as ``metrics_response`` does, with what handlers measure as new as can be had at once."""
    await metrics.refresh()
    return metrics_response(metrics, asked)


def metrics_response(metrics: Metrics, asked: Asked) -> Response:
    """Answer ``GET /metrics``, or with ``?name[]=...``, as often as one likes, the metrics of these names."""
    # The query of a target has the first of several parameters of one name only.
    query = asked.head.target.partition("?")[2]
    body, content_type = metrics.render([value for name, value in parse_qsl(query) if name == "name[]"])
    return Response(200, body, content_type)


def _nodes_of(served: list[tuple[Served, EngineStatistics]]) -> dict[str, set[str]]:
    """Return the nodes of each workflow, of all of its versions together."""
    found: dict[str, set[str]] = {}
    for each, told in served:
        found.setdefault(each.name, set()).update(node.node for node in told.nodes)
    return found


def _versions(served: list[tuple[Served, EngineStatistics]]) -> Iterator[Metric]:
    rows = [((each.name, each.version), told) for each, told in served]
    runs = GaugeMetricFamily("wfctl_workflow_runs_in_flight", "Runs that are not settled.", labels=_VERSION)
    yield _filled(runs, ((at, told.runs) for at, told in rows))
    # By workflow, and not of the server: a sum over those that are there would fall when one is taken away.
    late = "Answers of workers that came after their attempt was given up."
    family = CounterMetricFamily("wfctl_workflow_late_answers_total", late, labels=_VERSION)
    yield _filled(family, ((at, told.late_answers) for at, told in rows))
    stray = "Answers of workers to no open call; anything but zero is a fault of a worker."
    family = CounterMetricFamily("wfctl_workflow_stray_answers_total", stray, labels=_VERSION)
    yield _filled(family, ((at, told.stray_answers) for at, told in rows))


def _requests(workflows: dict[str, WorkflowTally]) -> Iterator[Metric]:
    counted = CounterMetricFamily(
        "wfctl_requests_total", "Requests that ran a workflow or a node of it.", labels=("workflow", "status")
    )
    times = HistogramMetricFamily(
        "wfctl_request_seconds", "From the head of a request to its answer, of the same requests.", labels=("workflow",)
    )
    for name, tally in sorted(workflows.items()):
        for hundreds, count in enumerate(tally.responses):
            if count:
                counted.add_metric((name, f"{hundreds}xx"), count)
        times.add_metric((name,), buckets=_cumulated(tally.buckets), sum_value=tally.took_s)
    yield counted
    yield times


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    """Return each bound, as text, with how many times were not above it."""
    total = 0
    found: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, BOUNDS_S), "+Inf"], buckets, strict=True):
        total += count
        found.append((bound, total))
    return found


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, rows: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily | CounterMetricFamily:
    for labels, value in rows:
        family.add_metric(labels, value)
    return family


def _chosen(families: Iterable[Metric], wanted: frozenset[str]) -> list[Metric]:
    """Return what is called so; a metric by its own name, or some of its samples by theirs."""
    if not wanted:
        return list(families)
    chosen = []
    for family in families:
        if family.name not in wanted:
            family.samples = [sample for sample in family.samples if sample.name in wanted]
        if family.samples:
            chosen.append(family)
    return chosen


class _Held:
    """Metrics that are there already, for who writes them."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """Return them."""
        return self._families
