"""What is counted at each answer, and for whom.

Hot records: plain slotted classes. Invariant: there is a tally only for what the registry has, or had when it was last
looked at: names that clients make up are counted nowhere but in the sums of the server.
"""

from bisect import bisect_left

from wfctl.engine.running import AnyRun
from wfctl.service.registry import Registry, UnknownWorkflowError
from wfctl.web.asked import Asked
from wfctl.web.wire.messages import Response

BOUNDS_S = (
    *(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
)
"""Seconds: bounds of the histogram of requests, each of them part of what lies below it."""

_HUNDREDS = 10
"""Of statuses: they have three digits."""
_FIRST_ERROR = 400
_NS = 1e-9


class WorkflowTally:
    """Requests that ran a workflow, or a node of it."""

    __slots__ = ("buckets", "responses", "took_s")

    def __init__(self) -> None:
        self.responses = [0] * _HUNDREDS
        """By hundred of the status."""
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        """By place of the first bound that is not below the time; beyond all of them the last."""
        self.took_s = 0.0


class VersionTally:
    """Those of them that named one version, or none, as the original counts them."""

    __slots__ = ("queued_s", "requests", "took_s", "workflow")

    def __init__(self, workflow: WorkflowTally) -> None:
        self.workflow = workflow
        self.requests = 0
        self.took_s = 0.0
        """Of requests that were answered without an error."""
        self.queued_s = 0.0
        """In queues of nodes, of the same requests."""


class Tallies:
    """Counts answers."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.responses = [0] * _HUNDREDS
        """Of the whole server, by hundred of the status."""
        self.workflows: dict[str, WorkflowTally] = {}
        self.versions: dict[tuple[str, str | None], VersionTally] = {}
        """By name and the version that requests named; ``None`` for the default."""
        self.last_run: tuple[float, float] | None = None
        """Seconds that the last run that succeeded was in queues, and that its calls and answers were on their way."""

    def answered(self, asked: Asked, response: Response, took_s: float) -> None:
        """Count an answer."""
        hundreds = response.status // 100
        self.responses[hundreds] += 1
        if not asked.workflow:
            return
        tally = self._tally_of(asked)
        if tally is None:
            return
        tally.requests += 1
        if response.status < _FIRST_ERROR:  # in the original, failures have no latency
            tally.took_s += took_s
        workflow = tally.workflow
        workflow.responses[hundreds] += 1
        workflow.took_s += took_s
        workflow.buckets[bisect_left(BOUNDS_S, took_s)] += 1

    def ran(self, asked: Asked, run: AnyRun) -> None:
        """Take the times of a run that is settled; those of a failed one say nothing."""
        if run.error is not None:
            return
        queued_s = between_s = 0.0
        for attempt in run.attempts:
            if attempt is not None:
                queued_s += attempt.sent - attempt.enqueued
                # A backend that does not measure leaves the times of the handler at zero.
                if attempt.finished_ns:
                    ran_s = (attempt.finished_ns - attempt.started_ns) * _NS
                    between_s += attempt.received - attempt.sent - ran_s
        self.last_run = (queued_s, between_s)
        tally = self._tally_of(asked)
        if tally is not None:
            tally.queued_s += queued_s

    def forget_gone(self) -> None:
        """Drop what the registry has no more; whoever registers names without end would make us grow without end."""
        there = {(served.name, served.version) for served in self._registry}
        names = {name for name, _ in there}
        self.workflows = {name: tally for name, tally in self.workflows.items() if name in names}
        self.versions = {
            key: tally for key, tally in self.versions.items() if key in there or (key[1] is None and key[0] in names)
        }

    def _tally_of(self, asked: Asked) -> VersionTally | None:
        name, version = asked.workflow, asked.names.get("version")
        return self.versions.get((name, version)) or self._slowly_found(name, version)

    def _slowly_found(self, name: str, version: str | None) -> VersionTally | None:
        """Return the tally of a version, of the default one if there is no such; ``None`` for what is gone."""
        try:
            versions = {served.version for served in self._registry.versions(name)}
        except UnknownWorkflowError:  # taken away while it was answered
            return None
        key = (name, version if version in versions else None)
        found = self.versions.get(key)
        if found is None:
            self.forget_gone()
            found = VersionTally(self.workflows.setdefault(name, WorkflowTally()))
            self.versions[key] = found
        return found
