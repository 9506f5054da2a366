"""What a finished run answers: the bytes of its leaf, or those of several leaves joined.

Invariant: payloads are joined, never parsed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from wfctl.engine.call import CallAnswer, Face
from wfctl.engine.core.records import Run
from wfctl.engine.core.state import CoreState
from wfctl.errors import InternalError

_NS = 1e-9
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTiming:
    """Where the time of one node of one run went; its last attempt is the one that counts."""

    node: str
    attempts: int
    queued_s: float
    """From the moment its input was there until it was handed to a worker."""
    sent_s: float
    """On the way to the handler."""
    ran_s: float
    """In the handler, with the whole batch."""
    returned_s: float
    """On the way back."""
    total_s: float


class _Named(Protocol):
    @property
    def name(self) -> str:
        """As in the spec."""


class TimedAttempt(Protocol):
    """One try of one node, and when it was where: seconds of the engine's clock, nanoseconds of the worker's."""

    @property
    def node(self) -> _Named:
        """The node that was tried."""

    @property
    def number(self) -> int:
        """Counts from 1."""

    @property
    def enqueued(self) -> float:
        """Its input was there."""

    @property
    def sent(self) -> float:
        """It was handed to a worker."""

    @property
    def started_ns(self) -> int:
        """The handler was called; 0 where that is not measured."""

    @property
    def finished_ns(self) -> int:
        """The handler returned; 0 where that is not measured."""

    @property
    def received(self) -> float:
        """Its answer was there."""


class RunResult:
    """The answer of one run. Hot record: a plain slotted class; timings are computed when asked for."""

    __slots__ = ("_attempts", "body", "content_type", "headers", "status", "tag")

    def __init__(  # noqa: PLR0917 - keywords cost time on the hottest path
        self,
        body: bytes,
        content_type: str | None,
        status: int,
        headers: Mapping[str, str],
        attempts: Sequence[TimedAttempt | None],
        tag: str | None = None,
    ) -> None:
        self.body = body
        self.content_type = content_type
        """As the leaf's handler set it; ``None`` if it did not."""
        self.status = status
        self.headers = headers
        self.tag = tag
        """What the input calls itself, as JSON, by the protocol that the run was asked in."""
        self._attempts = attempts

    @property
    def timings(self) -> tuple[NodeTiming, ...]:
        """One entry per node, in order of completion."""
        done = [attempt for attempt in self._attempts if attempt is not None]
        return tuple(_timing(attempt) for attempt in sorted(done, key=lambda each: each.received))

    def __repr__(self) -> str:
        return f"RunResult({len(self.body)} bytes, {self.content_type!r}, {self.status})"


def _timing(attempt: TimedAttempt) -> NodeTiming:
    # A backend that does not measure leaves the two times of the handler at zero.
    started = attempt.started_ns * _NS or attempt.sent
    finished = attempt.finished_ns * _NS or attempt.received
    return NodeTiming(
        node=attempt.node.name,
        attempts=attempt.number,
        queued_s=attempt.sent - attempt.enqueued,
        sent_s=started - attempt.sent,
        ran_s=finished - started,
        returned_s=attempt.received - finished,
        total_s=attempt.received - attempt.enqueued,
    )


def run_result(state: CoreState, run: Run) -> RunResult:
    """Return the answer of a run that settled without an error."""
    if len(run.answers) == 1:  # of the only leaf, or of the only node that was asked
        answer = run.answers[0]
        if answer is None:
            raise InternalError("a run was settled without an answer")
        return plain_result(answer, run.attempts, run.tag)
    return joined_result(
        [leaf.name for leaf in state.leaves], run.answers, run.attempts, tag=run.tag, face=Face(run.face)
    )


def plain_result(answer: CallAnswer, attempts: Sequence[TimedAttempt | None], tag: str | None) -> RunResult:
    """Return what the only leaf answered."""
    headers = answer.headers or _NONE
    return RunResult(bytes(answer.body), answer.content_type, answer.status, headers, attempts, tag)


def joined_result(
    leaves: Sequence[str],
    answers: Sequence[CallAnswer | None],
    attempts: Sequence[TimedAttempt | None],
    *,
    tag: str | None,
    face: Face,
) -> RunResult:
    """Return what several leaves answered, as one text."""
    pieces = []
    headers: dict[str, str] = {}
    for leaf, answer in zip(leaves, answers, strict=True):
        if answer is None:
            raise InternalError(f'a run was settled without the answer of leaf "{leaf}"')
        headers.update(answer.headers or _NONE)
        if face is not Face.V2_OF_MANY:
            pieces.append(b"%b: %b" % (json.dumps(leaf).encode(), answer.body))
        elif answer.body:  # tensors, each with a name of its own; a leaf may have none
            pieces.append(bytes(answer.body))
    body = b", ".join(pieces)
    if face is not Face.V2_OF_MANY:
        body = b"{%b}" % body
    return RunResult(body, "application/json", 200, headers, attempts, tag)
