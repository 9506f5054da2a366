"""The status page: its files, the numbers that it shows, the drawings, and the trying of an input.

Invariant: the files hold no data and may be read by anybody; everything else is management's and needs its key. What a
page gets is data and pictures of ours: whatever a name, a message or an answer of a workflow holds, nothing of it runs.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from wfctl import __version__
from wfctl.engine.running import AnyRun
from wfctl.engine.statistics import NodeStatistics
from wfctl.plan import ExecutionPlan, NodePlan
from wfctl.render.text import clip, harmless
from wfctl.service.registry import Registry, Served
from wfctl.web.answers import JSON, NOT_FOUND
from wfctl.web.asked import Asked, Forget, Runs
from wfctl.web.page.drawings import DIRECTIONS, painted
from wfctl.web.site import Site
from wfctl.web.watch.last_errors import LastErrors
from wfctl.web.watch.latency import Latencies, Window
from wfctl.web.wire.messages import RequestError, Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_OF_FILES: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_OF_DATA: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
"""Also of what a workflow answered: should a browser ever show it by itself, it is inert and of no origin."""
_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_START = "status.html"
_FOLDER = Path(__file__).with_name("files")

_SHARES = (0.5, 0.99)
_MS = 1000
_LONGEST_TEXT = 300
_KEPT_S = 0.25
"""For how long the numbers are told again, so that a hundred open pages cost hardly more than one."""
_FIRST_FAILURE = 500


class StatusPage:
    """What the page asks for, and who counts for it; a ``Witness``."""

    def __init__(self, site: Site, predict: Runs) -> None:
        self._site = site
        self._predict = predict
        """Runs a workflow as the inference API does."""
        self._since = time.monotonic()
        self._latencies = Latencies(lambda: _nodes_of(site.registry))
        self._errors = LastErrors()
        self._drawings: dict[tuple[str, str, str], tuple[ExecutionPlan, bytes]] = {}
        """By name, version and direction; with the plan that was drawn, for a version can be replaced."""
        self._told = b""
        self._told_at = -_KEPT_S

    # A witness

    def answered(self, asked: Asked, response: Response, took_s: float) -> None:
        """Count an answer, and keep why it is a failure."""
        self._latencies.answered(asked, response, took_s)
        if response.status >= _FIRST_FAILURE:
            self._errors.answered(asked, response, time.time())

    def ran(self, asked: Asked, run: AnyRun) -> None:
        """Take the times of a run that is settled, and where it failed, before it is answered."""
        self._latencies.ran(asked, run)
        if run.error is not None:
            self._errors.ran(asked, run)

    # Endpoints

    def page(self, asked: Asked) -> Response:
        """Answer the page, or the file of it that the path names; this needs no key."""
        found = _files().get(asked.names.get("file", _START))
        if found is None:
            raise RequestError(404, NOT_FOUND)
        return Response(200, found[0], found[1], _OF_FILES)

    def data(self, asked: Asked) -> Response:
        """Answer the numbers of this moment."""
        del asked
        now = time.monotonic()
        if now - self._told_at >= _KEPT_S:
            self._told, self._told_at = json.dumps(self._numbers(now), separators=(",", ":")).encode(), now
        return Response(200, self._told, JSON, _OF_DATA)

    async def drawing(self, asked: Asked) -> Response:
        """Answer the drawing of a version, ``?direction=LR`` or ``TB``; painted once."""
        served = self._site.registry.find(asked.names["workflow"], asked.names["version"])
        direction = asked.query.get("direction", DIRECTIONS[0])
        if direction not in DIRECTIONS:
            raise RequestError(400, "Parameter direction is LR or TB.")
        plan = served.deployment.prepared.plan
        key = (served.name, served.version, direction)
        kept = self._drawings.get(key)
        if kept is None or kept[0] is not plan:
            picture = await asyncio.to_thread(painted, plan, served.name, direction)
            there = {(each.name, each.version) for each in self._site.registry}
            self._drawings = {at: each for at, each in self._drawings.items() if at[:2] in there}
            self._drawings[key] = kept = (plan, picture)
        return Response(200, kept[1], JSON, _OF_DATA)

    def tried(self, asked: Asked) -> Forget:
        """Run a workflow on an input from the page; what its handler says in headers is left out."""
        inner = Asked(asked.head, asked.request_id, asked.begun)
        inner.target, inner.endpoint, inner.names, inner.body = asked.target, asked.endpoint, asked.names, asked.body

        def inert(inner: Asked, response: Response) -> Response:
            asked.workflow = inner.workflow
            took_ms = (asyncio.get_running_loop().time() - asked.begun) * _MS
            headers = {**_OF_DATA, "server-timing": f"run;dur={took_ms:.3f}"}
            return Response(response.status, response.body, response.content_type, headers)

        inner.send_by(inert, asked.reply)
        try:
            return self._predict(inner)
        finally:
            asked.workflow = inner.workflow  # also of one that is refused, for who counts

    # Numbers

    def _numbers(self, now: float) -> dict[str, Any]:
        self._latencies.forget_gone()
        clock = asyncio.get_running_loop().time()
        families: dict[str, list[Served]] = {}
        for served in self._site.registry:
            families.setdefault(served.name, []).append(served)
        return {
            "server": {
                "version": __version__,
                "state": _state_of(self._site),
                "uptimeS": round(now - self._since, 3),
                "clockS": round(clock, 6),
                "takesKeys": self._site.keys is not None,
            },
            "workflows": [self._workflow(name, versions, clock) for name, versions in families.items()],
            "errors": self._errors.newest_first(),
        }

    def _workflow(self, name: str, versions: list[Served], clock: float) -> dict[str, Any]:
        times = self._latencies.of(name)
        return {
            "name": name,
            "default": next((each.version for each in versions if self._site.registry.is_default(each)), None),
            "answered": times.answered,
            "failed": times.failed,
            "latencyMs": _latency_ms(times.window, clock),
            "versions": [_version(each, times.nodes, clock) for each in versions],
        }


def _version(served: Served, windows: Mapping[str, Window], clock: float) -> dict[str, Any]:
    told = served.engine.statistics()
    plans = {node.name: node for node in served.deployment.prepared.plan.nodes}
    return {
        "version": served.version,
        "since": served.since.timestamp(),
        "inFlight": told.runs,
        "nodes": [
            _node(served, plans[node.node], node, windows.get(node.node), clock)
            for node in told.nodes
            if node.node in plans
        ],
    }


def _node(served: Served, plan: NodePlan, told: NodeStatistics, window: Window | None, clock: float) -> dict[str, Any]:
    return {
        "name": told.node,
        "kind": plan.kind.value,
        "waiting": told.queued,
        "queueSize": served.deployment.prepared.plan.queue_size_of(plan),
        "running": told.running,
        "workers": {
            "ready": len(told.worker_pids),
            "starting": told.starting,
            "least": told.least,
            "most": told.most,
            "lost": told.lost,
        },
        "counts": {
            "done": told.done,
            "failed": told.failed,
            "retried": told.retried,
            "batches": told.batches,
            "calls": told.sent,
        },
        "batchSize": plan.settings.batch_size,
        "batchMs": round(told.batch_time_s * _MS, 5) if told.batch_time_s else None,
        "latencyMs": None if window is None else _latency_ms(window, clock),
        "lastFailure": None if told.last_failure is None else _one_line(told.last_failure),
    }


def _latency_ms(window: Window, clock: float) -> dict[str, float] | None:
    found = window.percentiles(clock, _SHARES)
    return None if found is None else {"p50": round(found[0] * _MS, 3), "p99": round(found[1] * _MS, 3)}


def _one_line(text: str) -> str:
    """Return the first line: what follows it in a failure to load is a traceback."""
    return clip(harmless(text.partition("\n")[0]), _LONGEST_TEXT)


def _state_of(site: Site) -> str:
    if site.is_draining:
        return "draining"
    return "ready" if site.is_ready else "starting"


def _nodes_of(registry: Registry) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for served in registry:
        found.setdefault(served.name, set()).update(node.name for node in served.deployment.prepared.plan.nodes)
    return found


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Return every file of the page with its type; read once, so that a path from outside reaches no disk."""
    return {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in _FOLDER.iterdir() if path.suffix in _TYPES}
