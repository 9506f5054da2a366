"""What a worker would stumble over in a model that is about to be packed: advice, and never a refusal.

Invariant: files are parsed and never imported.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wfctl.archive.manifest import MAR_MANIFEST, read_mar_manifest
from wfctl.archive.mar import find_handler
from wfctl.archive.plan import ArchivePlan, PlannedMember

_WEIGHTS: Final = (".pt", ".pth", ".bin", ".onnx", ".so", ".pt2", ".safetensors", ".pkl", ".ckpt")
_MOST_BYTES: Final = 8 << 20


def advice_on(plan: ArchivePlan, *, handler: str, runtime: str, model_file: str | None) -> Iterator[str]:
    """Yield a sentence for each thing that looks wrong."""
    members = {member.name: member for member in plan.members}
    if runtime == "LSP":
        yield "the runtime LSP is C++: wfctl run cannot load this model"
        return
    path, _ = find_handler(handler, runtime=runtime)
    if path is not None:
        _, fault = _parsed(members[path.name])
        if fault:
            yield f'the handler "{path}" is not Python that can be read: {fault}'
    if model_file is not None:
        yield from _advice_on_model(members[model_file])
    yield from _advice_on_weights(members)


def _advice_on_model(member: PlannedMember) -> Iterator[str]:
    tree, fault = _parsed(member)
    if tree is None:
        yield f'the model file "{member.name}" is not Python that can be read: {fault}'
        return
    classes = [statement.name for statement in tree.body if isinstance(statement, ast.ClassDef)]
    if len(classes) != 1:
        found = ", ".join(f'"{name}"' for name in classes[:8]) or "none"
        yield f'the model file "{member.name}" must define exactly one class for base_handler; it defines {found}'


def _advice_on_weights(members: dict[str, PlannedMember]) -> Iterator[str]:
    source = members[MAR_MANIFEST].source
    weights = read_mar_manifest(source).serialized_file if isinstance(source, bytes) else None
    if weights is not None and not weights.endswith(_WEIGHTS):
        yield f'the weights "{weights}" end in none of {", ".join(_WEIGHTS)}: only a handler of your own can load them'


def _parsed(member: PlannedMember) -> tuple[ast.Module | None, str | None]:
    if not isinstance(member.source, Path) or member.size > _MOST_BYTES:
        return None, "it is too large"
    try:
        return ast.parse(member.source.read_bytes()), None
    except SyntaxError as error:
        return None, f"{error.msg} (line {error.lineno})"
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return None, str(error) or "it is nested too deeply"
