"""What the fork-server imports before it forks, so that workers share it.

Invariant: decided by the text of the plan and of its handlers; nothing is imported here.
"""

from pathlib import Path

from wfctl.plan import ExecutionPlan, NodePlan
from wfctl.workflow import NodeKind


def shared_libraries(plan: ExecutionPlan) -> tuple[str, ...]:
    """Return the names of the libraries that workers of this plan will want."""
    return ("torch",) if any(map(_wants_torch, plan.nodes)) else ()


def _wants_torch(node: NodePlan) -> bool:
    if node.kind is NodeKind.MODEL:
        return True
    module = node.code.handler.partition(":")[0].removesuffix(".py")
    # A handler that cannot be read says so in its worker, where its node is known.
    try:
        return b"torch" in Path(node.code.model_dir, f"{module}.py").read_bytes()
    except OSError:
        return False
