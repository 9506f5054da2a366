"""What travels on Ray: from the ingress to every replica, and from replica to replica.

A failure is a value too: it goes through what comes after the node that failed, whose handlers are not called, to the
ingress. Invariant: tuples, for every hop pickles them, and tuples cost least; no Ray in here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from wfctl.cluster.sources import CodeSource
from wfctl.engine.call import CallAnswer
from wfctl.plan import NodePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStart:
    """What a replica is told when it starts."""

    node: NodePlan
    source: CodeSource
    request_ids: str
    """The engine's random digits, of which ids of requests are made."""
    most_retries: int
    """Of one run, over all nodes."""
    hidden_names: tuple[str, ...] = ()
    """Variables of the environment that handlers may not see."""


class Asked(NamedTuple):
    """What a replica is asked for one run."""

    call_id: int
    headers: bytes
    """As ``call.write_headers`` writes them."""
    form: int
    is_alone: bool = False
    """Whether it must not share a batch: a replica died while it had it."""
    is_hurried: bool = False
    """Whether no other run is in flight, so that a batch has nobody to wait for."""


class Step(NamedTuple):
    """How one node of one run went; times in nanoseconds of its replica's monotonic clock."""

    node: str
    number: int
    """Attempts."""
    resent: int
    """Times that it was sent again, attempts after the first and those for a batch of its own."""
    batch: int
    """Calls in the last batch that it was part of."""
    arrived_ns: int
    started_ns: int
    finished_ns: int
    left_ns: int

    @property
    def retries(self) -> int:
        """Attempts after the first."""
        return self.number - 1


class Failure(NamedTuple):
    """Why a node failed a run."""

    node: str
    attempts: int
    message: str
    status: int = 500
    traceback_text: str | None = None
    hint: str | None = None
    kind: str = "run"
    """``run``, ``input`` or ``deadline``: which error of ours it becomes."""
    was_waiting: bool = False


class Answered(NamedTuple):
    """A good answer: what of a ``CallAnswer`` others want to know."""

    body: bytes | bytearray
    status: int
    content_type: str | None
    headers: Mapping[str, str] | None

    @classmethod
    def of(cls, answer: CallAnswer) -> "Answered":
        """Return what is passed on of a worker's answer."""
        return cls(answer.body, answer.status, answer.content_type, answer.headers)

    def as_answer(self) -> CallAnswer:
        """Return it as if a worker had just answered."""
        return CallAnswer(0, self.status, self.body, content_type=self.content_type, headers=self.headers)


class Passed(NamedTuple):
    """What a node hands on: its answer, or the failure of this node or of one before it."""

    answer: Answered | None
    steps: tuple[Step, ...]
    """Of this node and of all before it, each once."""
    failure: Failure | None = None
    tag: str | None = None
    """What the input calls itself."""


class About(NamedTuple):
    """What a replica says of itself."""

    replica: str
    pid: int
    load_s: float
    queued: int
    """Calls that wait there."""
    running: int
    """Calls in its handler."""


def failure_of(parents: Iterable[Passed]) -> Failure | None:
    """Return why a node is not asked: the failure of one before it, if there was one."""
    return next((each.failure for each in parents if each.failure is not None), None)


def steps_of(parents: tuple[Passed, ...]) -> tuple[Step, ...]:
    """Return what happened before a node, each step once."""
    if len(parents) == 1:
        return parents[0].steps
    return tuple({step.node: step for parent in parents for step in parent.steps}.values())
