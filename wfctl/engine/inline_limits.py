"""What one interpreter cannot give a plan: what is said, and what is refused.

Invariant: looks at names of files; nothing is imported.
"""

from collections.abc import Iterator
from pathlib import Path

from wfctl.errors import UnsupportedError
from wfctl.plan import ExecutionPlan, NodePlan

SHARED = frozenset({"wfctl", "ts", "yaml", "torch", "torchvision", "numpy", "PIL", "onnxruntime"})
"""Never a node's own, whatever lies in its folder: these cannot be loaded twice, or are ours."""

_OURS = frozenset({"wfctl", "ts", "yaml"})  # in a worker too, so nothing is lost
_EXTENSION = ".so"


def inline_limits(plan: ExecutionPlan) -> tuple[str, ...]:
    """Say in sentences what of ``plan`` is not honoured in one interpreter, though it answers the same."""
    return tuple(
        f'node "{node.name}" runs with one worker instead of {node.settings.max_workers}'
        for node in plan.nodes
        if node.settings.max_workers > 1
    )


def refuse_impossible(plan: ExecutionPlan) -> None:
    """Raise ``UnsupportedError`` where answers could differ from those of workers, with the reason."""
    reason = next(_reasons(plan), None)
    if reason is not None:
        raise UnsupportedError(reason, hint="run it without --inline: each node then has an interpreter of its own")


def _reasons(plan: ExecutionPlan) -> Iterator[str]:
    extensions: dict[str, NodePlan] = {}
    for node in plan.nodes:
        for name in _modules(node, _EXTENSION):
            other = extensions.setdefault(name, node)
            if other.code.model_dir != node.code.model_dir:
                both = f'nodes "{other.name}" and "{node.name}"'
                yield f'{both} bring an extension module "{name}" each, and one process loads a name once'
        for name in sorted((SHARED - _OURS) & _modules(node, ".py")):
            yield f'node "{node.name}" brings its own "{name}", and one process has only one'


def _modules(node: NodePlan, ending: str) -> frozenset[str]:
    """Return the top-level names in the node's folder: files with this ending, and packages for ``.py``."""
    entries = list(Path(node.code.model_dir).iterdir())
    packages = {path.name for path in entries if path.is_dir()} if ending == ".py" else set()
    return frozenset(packages | {path.name.partition(".")[0] for path in entries if path.suffix == ending})
