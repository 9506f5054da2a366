"""One actor of Ray Data: takes batches of rows through one node.

Invariant: every row comes back, in its place; what went wrong with it is in it.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from wfctl.cluster.desk import Desk
from wfctl.cluster.load_failure import load_failure, told_through_ray
from wfctl.cluster.passing import Passed, Step, failure_of, steps_of
from wfctl.cluster.rows import HANDFULS, Line, Row, StageStart, from_bytes, to_bytes
from wfctl.cluster.sources import received
from wfctl.cluster.tries import Settled
from wfctl.engine.call import AS_JSON, TAG, Call, Input, Part, RequestIds, random_digits
from wfctl.engine.local.backend import LocalBackend
from wfctl.errors import LoadError


class Stage:
    """A node, loaded in a worker process of this actor."""

    def __init__(self, version: str, name: str, start: bytes) -> None:
        with told_through_ray(name):
            told: StageStart = received(version, name, start)
            self._start, self._node = told, told.node
            self._ids = RequestIds(random_digits())
            self._form = AS_JSON if not told.node.children and len(told.plan.leaves) > 1 else 0
            self._printed: list[Line] = []
            self._loop = asyncio.new_event_loop()
            self._loop.run_until_complete(self._open())

    async def _open(self) -> None:
        hidden = self._start.hidden_names
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        nodes = tuple(self._node if each.name == self._node.name else each for each in self._start.plan.nodes)
        plan = replace(self._start.plan, nodes=nodes)
        self._desk = Desk(plan, self._node, LocalBackend(environment), self._take_line)
        await self._desk.open()

    def _take_line(self, node: str, stream: str, line: str) -> None:
        self._printed.append((node, stream, line))

    def __call__(self, table: Any) -> Any:
        """Return the table with what this node makes of each row."""
        handfuls = [self._through(text) for text in table.column(HANDFULS).to_pylist()]
        return pa.table({HANDFULS: pa.array(handfuls, pa.large_binary())})

    def _through(self, text: bytes) -> bytes:
        rows, printed = from_bytes(text)
        try:
            self._loop.run_until_complete(self._fill(rows))
        except LoadError as error:  # of a worker in the place of one that is gone
            raise load_failure(error) from None
        self._drop(rows)
        printed += self._printed
        self._printed.clear()
        return to_bytes(rows, printed)

    async def _fill(self, rows: Sequence[Row]) -> None:
        waiting = [row for row in rows if not self._is_passed_by(row)]
        size = self._node.settings.batch_size
        for at in range(0, len(waiting), size):
            batch = waiting[at : at + size]
            parents = [[row.passed[name] for name in self._node.parents] for row in batch]
            steps = [steps_of(tuple(each)) for each in parents]
            calls = [
                Call(row.number, self._input(row, each), self._ids, form=self._form)
                for row, each in zip(batch, parents, strict=True)
            ]
            left = [self._start.most_retries - sum(step.retries for step in each) for each in steps]
            for row, before, settled in zip(batch, steps, await self._desk.answer(calls, left), strict=True):
                row.passed[self._node.name] = self._passed(settled, before)
        await asyncio.sleep(0)  # what the handler printed before its last answer is there, and not yet read

    def _is_passed_by(self, row: Row) -> bool:
        """Pass on the failure of a node before this one, if there was one."""
        parents = tuple(row.passed[name] for name in self._node.parents)
        failure = failure_of(parents)
        if failure is None:
            return False
        row.passed[self._node.name] = Passed(None, steps_of(parents), failure)
        return True

    def _drop(self, rows: Sequence[Row]) -> None:
        for row in rows:
            for name in self._start.drops:
                row.passed.pop(name, None)
            if self._start.drops_parts:
                row.parts = None

    def _input(self, row: Row, parents: Sequence[Passed]) -> Input:
        if not self._node.parents:
            return row.parts or ()
        bodies = [each.answer.body for each in parents if each.answer is not None]
        if len(bodies) == 1:
            return bytes(bodies[0])
        return [Part(name, body) for name, body in zip(self._node.parents, bodies, strict=True)]

    def _passed(self, settled: Settled, steps: tuple[Step, ...]) -> Passed:
        answer = None if settled.told is None else settled.told.answer
        if answer is not None and answer.headers:
            answer.headers = {name: value for name, value in answer.headers.items() if name != TAG}
        return settled.passed_on(self._node.name, steps)
