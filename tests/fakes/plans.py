"""Plans in one line, for tests that need a graph and no code."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from wfctl.plan import CodeUnit, ExecutionPlan, NodePlan
from wfctl.spec.model import Payload, WorkerSettings
from wfctl.workflow import NodeKind


def plan_of(
    edges: str,
    settings: Mapping[str, WorkerSettings] | None = None,
    *,
    default: WorkerSettings | None = None,
    folders: Mapping[str, Path] | None = None,
    payload: Payload = Payload.BYTES,
    **fields: Any,
) -> ExecutionPlan:
    """Make a plan from chains such as ``"a > b > d, a > c > d"``; nodes stand in the order of their first mention."""
    chains = [[name.strip() for name in chain.split(">")] for chain in edges.split(",")]
    names = list(dict.fromkeys(name for chain in chains for name in chain))
    pairs = list(dict.fromkeys((a, b) for chain in chains for a, b in pairwise(chain)))
    nodes = tuple(
        NodePlan(
            name=name,
            kind=NodeKind.FUNCTION,
            model_name=f"flow__{name}",
            settings=(settings or {}).get(name, default or WorkerSettings(max_batch_delay_ms=0)),
            parents=tuple(a for a, b in pairs if b == name),
            children=tuple(b for a, b in pairs if a == name),
            code=CodeUnit(model_dir=str((folders or {}).get(name, "")), handler="handler.py:handle", manifest=None),
            payload=payload,
        )
        for name in names
    )
    return ExecutionPlan(workflow_name="flow", nodes=nodes, **fields)
