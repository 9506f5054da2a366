"""One run on Ray, as those see it who asked for it: whether it is over, what came of it, how long each node took."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wfctl.cluster.passing import Failure, Passed, Step
from wfctl.engine.call import Face, Headers, Part
from wfctl.engine.core.outcome import RunResult, joined_result, plain_result
from wfctl.errors import BadInputError, DeadlineExceededError, InternalError, RunError, WfctlError
from wfctl.plan import NodePlan

if TYPE_CHECKING:
    import asyncio

_NS = 1e-9


class ClusterRun:
    """One workflow executed on one input; made by ``RayEngine.submit``."""

    __slots__ = (
        "attempts",
        "error",
        "face",
        "headers",
        "is_settled",
        "limit_s",
        "number",
        "on_settled",
        "only",
        "parts",
        "passed",
        "task",
    )

    def __init__(
        self,
        number: int,
        parts: Sequence[Part],
        headers: Headers,
        *,
        only: NodePlan | None,
        face: Face,
        limit_s: float | None,
        on_settled: "Callable[[ClusterRun], None]",
    ) -> None:
        self.number = number
        self.parts = parts
        self.headers = headers
        self.only = only
        """The one node that is asked, by itself."""
        self.face = face
        self.limit_s = limit_s
        self.on_settled = on_settled
        self.error: WfctlError | None = None
        self.is_settled = False
        self.attempts: Sequence[PastAttempt | None] = ()
        self.passed: Sequence[tuple[str, Passed]] = ()
        """What each leaf, or the only node, has passed on."""
        self.task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = "failed" if self.error else "settled" if self.is_settled else "in flight"
        return f"ClusterRun({self.number}, {state})"

    @property
    def steps(self) -> tuple[Step, ...]:
        """What each node has done that the run came to."""
        return tuple({step.node: step for _, passed in self.passed for step in passed.steps}.values())

    def note_times(self, now: float) -> None:
        """Make attempts of the steps that were passed on, as if each had come back at ``now``.

        Clocks of several machines cannot be compared: how long things took at a replica is all that is known.
        """
        self.attempts = tuple(PastAttempt(step, now) for step in self.steps)

    def result(self) -> RunResult:
        """Return the answer, or raise why there is none."""
        if self.error is not None:
            raise self.error
        tag = next((passed.tag for _, passed in self.passed if passed.tag is not None), None)
        answers = [passed.answer and passed.answer.as_answer() for _, passed in self.passed]
        if len(answers) > 1:
            leaves = [leaf for leaf, _ in self.passed]
            return joined_result(leaves, answers, self.attempts, tag=tag, face=self.face)
        if not answers or answers[0] is None:
            raise InternalError("a run was settled without an answer")
        return plain_result(answers[0], self.attempts, tag)


class PastAttempt:
    """The attempt of a node that counts, as far as its replica has told."""

    __slots__ = ("_step", "enqueued", "finished_ns", "node", "received", "sent", "started_ns")

    def __init__(self, step: Step, now: float) -> None:
        self._step = step
        self.node = _Name(step.node)
        self.received = now
        began_ns = step.started_ns or step.left_ns
        self.enqueued = now - (step.left_ns - step.arrived_ns) * _NS
        self.sent = now - (step.left_ns - began_ns) * _NS
        self.started_ns = round(self.sent / _NS) if step.started_ns else 0
        self.finished_ns = self.started_ns + step.finished_ns - step.started_ns if step.started_ns else 0

    @property
    def number(self) -> int:
        """Counts from 1."""
        return self._step.number


class _Name:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def error_of(failure: Failure) -> RunError:
    """Return the error that a failure on some replica is here."""
    if failure.kind == "deadline":
        return DeadlineExceededError(
            failure.message,
            node=failure.node,
            attempts=failure.attempts,
            status=failure.status,
            hint=failure.hint,
            was_waiting=failure.was_waiting,
        )
    kind = BadInputError if failure.kind == "input" else RunError
    return kind(
        failure.message,
        node=failure.node,
        attempts=failure.attempts,
        status=failure.status,
        traceback_text=failure.traceback_text,
        hint=failure.hint,
    )
