"""The module that a handler's name stands for: a file of the archive, a module beside it, or a built-in.

Invariant: what the archive holds beats what is built in, and a failed import inside the handler stays the handler's.
"""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from wfctl.errors import LoadError
from wfctl.hosting.ts_advice import known_advice
from wfctl.hosting.ts_names import BUILT_IN_HANDLERS
from wfctl.plan import NodePlan

_TAKEN = frozenset({"ts", "wfctl"})
"""Names that lead to us, whatever lies in the archive."""


def handler_module(name: str, node: NodePlan) -> ModuleType:
    """Import the module part of a handler; of a path only the last segment counts, as archives are flat."""
    stem = name.removesuffix(".py").rpartition("/")[2]
    path = Path(node.code.model_dir, f"{stem}.py")
    if path.is_file() and _is_taken(stem, path):
        return _imported_from(path)
    try:
        return import_module(stem)
    except ModuleNotFoundError as missing:
        if missing.name is None or not f"{stem}.".startswith(f"{missing.name}."):
            raise
    # Outside of the block: what goes wrong in a built-in handler has nothing to do with the search before it.
    return _built_in(stem, node)


def _is_taken(stem: str, path: Path) -> bool:
    known = sys.modules.get(stem)
    return stem in _TAKEN if known is None else not _is_at(known, path)


def _is_at(module: ModuleType, path: Path) -> bool:
    place = getattr(module, "__file__", None)
    return place is not None and Path(place).resolve() == path.resolve()


def _imported_from(path: Path) -> ModuleType:
    """Import a handler whose name is taken by a module of Python itself (``queue.py``), leaving that one in place."""
    name = f"wfctl_handler_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f'cannot import "{path.name}"')
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _built_in(stem: str, node: NodePlan) -> ModuleType:
    if stem in BUILT_IN_HANDLERS:
        return import_module(f"ts.torch_handler.{stem}")
    advice = known_advice(f"ts.torch_handler.{stem}")
    what = "is not in its archive" if advice is None else "is built into TorchServe, and wfctl does not have it"
    raise LoadError(
        f'handler "{node.code.handler}" of node "{node.name}" {what}',
        node=node.name,
        hint=advice or f"built-in handlers are: {', '.join(BUILT_IN_HANDLERS)}",
    )
