"""What flows through Ray Data: handfuls of rows, each one input and what the nodes so far have made of it.

Invariant: values and their bytes; no Ray in here.
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass

from wfctl.cluster.passing import Passed
from wfctl.cluster.sources import CodeSource
from wfctl.engine.call import Part
from wfctl.plan import ExecutionPlan, NodePlan

HANDFULS = "handfuls"
"""The only column. A row of Ray's is the bytes of some rows of ours: we say how many make one piece of work."""


class Row:
    """One input on its way."""

    __slots__ = ("number", "parts", "passed")

    def __init__(self, number: int, parts: Sequence[Part] | None, passed: dict[str, Passed]) -> None:
        self.number = number
        """Of the input, from 1."""
        self.parts = parts
        """The client's, as long as some entry may still want them."""
        self.passed = passed
        """Node -> what it passed on, as long as some child may still want it, and for good of leaves."""


Line = tuple[str, str, str]
"""Node, stream and text of what a handler printed."""


def to_bytes(rows: Sequence[Row], printed: Sequence[Line] = ()) -> bytes:
    """Return a handful of rows as they travel, with what was printed on their way."""
    return pickle.dumps(([(row.number, row.parts, row.passed) for row in rows], list(printed)), protocol=5)


def from_bytes(text: bytes) -> tuple[list[Row], list[Line]]:
    """Return the rows that became these bytes in another process of ours, and what was printed on their way."""
    rows, printed = pickle.loads(text)  # noqa: S301 - written by our own engine
    return [Row(*each) for each in rows], printed


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStart:
    """What one stage, all of one node, is told when it starts."""

    plan: ExecutionPlan
    node: NodePlan
    source: CodeSource
    most_retries: int
    hidden_names: tuple[str, ...]
    drops: tuple[str, ...]
    """Nodes whose values nobody behind this stage wants."""
    drops_parts: bool
    """Whether no entry comes behind this stage."""


def stages_of(
    plan: ExecutionPlan, source: CodeSource, most_retries: int, hidden_names: tuple[str, ...]
) -> list[StageStart]:
    """Return the stages of a plan, which are its nodes in its order."""
    at = {node.name: number for number, node in enumerate(plan.nodes)}
    last_entry = max(at[name] for name in plan.entries)
    last_wanted = {node.name: max((at[child] for child in node.children), default=-1) for node in plan.nodes}
    return [
        StageStart(
            plan=plan,
            node=node,
            source=source,
            most_retries=most_retries,
            hidden_names=hidden_names,
            drops=tuple(name for name, wanted in last_wanted.items() if wanted == number),
            drops_parts=number == last_entry,
        )
        for number, node in enumerate(plan.nodes)
    ]
