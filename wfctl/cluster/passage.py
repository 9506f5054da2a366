"""Brings one run through the graph: asks each node with what its parents will answer, and mends what dies on the way.

All nodes are asked at once; each is given the responses of its parents, so that values go from replica to replica.
Invariant: decides nothing about a handler's failures, which are values and pass through; only replicas that died, and
with them the calls that they had, are mended here.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    ObjectLostError,
    RayActorError,
    RayTaskError,
    WorkerCrashedError,
)
from ray.serve.exceptions import RayServeException, RequestCancelledError

from wfctl.cluster.passing import Asked, Passed
from wfctl.cluster.runs import ClusterRun
from wfctl.engine.call import AS_JSON, FACE_BIT, STANDS_ALONE, Face
from wfctl.engine.core.attempts import MOST_DEATHS
from wfctl.errors import RunError
from wfctl.plan import NodePlan

_LOST: Final = (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    ObjectLostError,
    RayActorError,
    WorkerCrashedError,
)
_MOMENT_S: Final = 0.05
_LOOK_S: Final = 1.0


class _OverdueError(Exception):
    """A leaf has not answered, and a call was lost somewhere before it."""


class Roads:
    """What the passages of one engine share: the graph, and the handles of its nodes."""

    def __init__(
        self,
        nodes: Sequence[NodePlan],
        handles: Mapping[str, Any],
        patience: Mapping[str, float],
        on_loss: Callable[[str], None],
    ) -> None:
        self.patience = patience
        """Node -> seconds after which it has surely answered, if it got what it was asked."""
        self.lost_at = 0.0
        """When a call was lost the last time, on the loop's clock."""
        self._on_loss = on_loss
        self.nodes = nodes
        self.handles = handles
        self.leaves = tuple(node for node in nodes if not node.children)
        self.suspects = {node.name: asyncio.Lock() for node in nodes}
        """Held by the one call of a node that is sent alone because a replica died with it."""

    def note_loss(self, node: str) -> None:
        """Learn that a node lost a call with its replica."""
        self.lost_at = asyncio.get_running_loop().time()
        self._on_loss(node)

    def form_of(self, node: NodePlan, run: ClusterRun) -> int:
        """Return what is special about a call."""
        if run.only is not None:
            return STANDS_ALONE
        is_leaf, is_entry = not node.children, not node.parents
        if run.face is Face.NONE:
            return AS_JSON if is_leaf and len(self.leaves) > 1 else 0
        return (run.face << FACE_BIT if is_leaf or is_entry else 0) | (AS_JSON if is_leaf else 0)


class Passage:
    """One run on its way."""

    def __init__(self, roads: Roads, run: ClusterRun, *, is_hurried: bool) -> None:
        self._roads = roads
        self._run = run
        self._is_hurried = is_hurried
        self._nodes = roads.nodes if run.only is None else (run.only,)
        self._responses: dict[str, Any] = {}
        self._answers: dict[str, asyncio.Task[Passed]] = {}
        self._asked_at: dict[str, float] = {}

    async def carry(self, clock: asyncio.Timeout) -> list[tuple[str, Passed]]:
        """Return what the leaves pass on, or the one failure that ends the run; ``clock`` ends it, and may be moved."""
        for node in self._nodes:
            self._ask(node)
        try:
            return await self._arrived()
        except Exception as error:
            if not isinstance(error, _OverdueError) and not is_loss(error):
                raise
        await self._mend(clock)
        return await self._arrived()

    async def where(self) -> NodePlan:
        """Return the first node that has not answered yet."""
        for node in self._nodes:
            answer = self._answer(node)
            await asyncio.wait([answer], timeout=_MOMENT_S)
            if not answer.done() or answer.cancelled() or answer.exception() is not None:
                return node
        return self._nodes[-1]

    def give_up(self) -> None:
        """Take back what was asked."""
        for name in list(self._responses):
            self._take_back(name)

    def _take_back(self, name: str) -> None:
        response, answer = self._responses.pop(name, None), self._answers.pop(name, None)
        if response is not None and (answer is None or not answer.done()):
            with suppress(Exception):  # what Ray makes of a call that is lost concerns nobody any more
                response.cancel()
        if answer is not None:
            answer.cancel()

    def _answer(self, node: NodePlan) -> "asyncio.Task[Passed]":
        """Return the one task that waits for a node: of a response that is awaited twice Ray would forget the first."""
        answer = self._answers.get(node.name)
        if answer is None:
            answer = self._answers[node.name] = asyncio.ensure_future(_fetched(self._responses[node.name]))
            answer.add_done_callback(_look_at)
        return answer

    def _ask(self, node: NodePlan, *, is_alone: bool = False) -> None:
        run, roads = self._run, self._roads
        asked = Asked(
            run.number,
            bytes(run.headers.text),
            roads.form_of(node, run),
            is_alone=is_alone,
            is_hurried=self._is_hurried,
        )
        is_entry = run.only is not None or not node.parents
        parents = () if is_entry else tuple(self._responses[parent] for parent in node.parents)
        self._take_back(node.name)
        self._asked_at[node.name] = asyncio.get_running_loop().time()
        self._responses[node.name] = roads.handles[node.name].remote(asked, run.parts if is_entry else None, *parents)

    async def _arrived(self) -> list[tuple[str, Passed]]:
        leaves = self._roads.leaves if self._run.only is None else self._nodes
        waiting = {self._answer(leaf): leaf.name for leaf in leaves}
        pending = set(waiting)
        while pending:
            done, pending = await asyncio.wait(pending, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            if any(self._is_overdue(waiting[answer]) for answer in pending):
                raise _OverdueError
            for answer in done:
                if answer.result().failure is not None:
                    return [(waiting[answer], answer.result())]
        return [(name, answer.result()) for answer, name in waiting.items()]

    # Replicas that died

    async def _mend(self, clock: asyncio.Timeout) -> None:
        """Ask again what was lost, node by node; raises ``RunError`` for a call that takes replicas with it."""
        again: set[str] = set()
        for node in self._nodes:
            if not again.isdisjoint(node.parents):
                self._ask(node)  # it was never begun, for its input was lost on the way
                again.add(node.name)
            while await self._is_lost(node):
                await self._ask_alone(node, clock)
                again.add(node.name)

    async def _is_lost(self, node: NodePlan) -> bool:
        answer = self._answer(node)
        while not answer.done():
            await asyncio.wait([answer], timeout=_LOOK_S)
            if not answer.done() and self._is_overdue(node.name):
                return True
        error = None if answer.cancelled() else answer.exception()
        if error is not None and not is_loss(error):
            raise error
        if error is not None:
            self._roads.note_loss(node.name)
        return error is not None

    def _is_overdue(self, node: str) -> bool:
        """Whether a call is lost of which Ray does not tell: others were since it was asked, and its time is up."""
        asked_at = self._asked_at[node]
        late_s = asyncio.get_running_loop().time() - asked_at - self._roads.patience[node]
        return late_s > _LOOK_S and self._roads.lost_at > asked_at

    async def _ask_alone(self, node: NodePlan, clock: asyncio.Timeout) -> None:
        """Ask a node whose replica died with the call; not known to be at fault until it dies of this alone."""
        if not node.isolates:
            raise _died(node, "the worker died, and may not be sent what it had again")
        # One at a time: of two that are sent to one replica the innocent would be blamed for the other. To wait for
        # that is not the run's fault; only its client's own deadline goes on.
        now, ends_at = asyncio.get_running_loop().time, clock.when()
        left_s = None if ends_at is None or self._run.limit_s is not None else ends_at - now()
        if left_s is not None:
            clock.reschedule(None)
        async with self._roads.suspects[node.name]:
            if left_s is not None:
                clock.reschedule(now() + left_s)
            for _ in range(MOST_DEATHS):
                self._ask(node, is_alone=True)
                if not await self._is_lost(node):
                    return
        raise _died(node, f"the worker died {MOST_DEATHS} times while it ran this alone")


async def _fetched(response: Any) -> Passed:
    passed: Passed = await response
    return passed


def _look_at(answer: "asyncio.Task[Passed]") -> None:
    if not answer.cancelled():
        answer.exception()  # seen by whoever waits for it, if somebody does


def is_loss(error: BaseException) -> bool:
    """Whether an error of Ray's means that a process or a machine is gone, and with it a call or its input."""
    if isinstance(error, RequestCancelledError):
        return False
    if isinstance(error, RayTaskError):
        return isinstance(error.cause, _LOST)
    if isinstance(error, RayServeException):  # of a call whose input was lost on the way
        return "died" in str(error) or isinstance(error.__cause__, RayTaskError | RayActorError)
    return isinstance(error, _LOST)


def _died(node: NodePlan, message: str) -> RunError:
    return RunError(message, node=node.name, attempts=1, status=503)
