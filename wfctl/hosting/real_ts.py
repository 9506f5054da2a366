"""An installed TorchServe in the place of our own ``ts`` modules, where ``--ts real`` asks for it.

Invariant: an archive's own ``ts`` is never taken for it; nothing is imported to see whether it is there.
"""

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path

from wfctl.errors import LoadError, UnsupportedError
from wfctl.plan import NodePlan

_HINT = "pip install torchserve, or leave --ts real out: handlers then find our own modules under the same names"


def require_real_ts() -> None:
    """Raise ``UnsupportedError`` unless TorchServe is installed where workers will look for it."""
    spec = PathFinder.find_spec("ts", [each for each in sys.path if each and Path(each) != Path.cwd()])
    if not _is_torchserve(None if spec is None else spec.submodule_search_locations):
        raise UnsupportedError("TorchServe is not installed, and --ts real asks for it", hint=_HINT)


def import_real_ts(node: NodePlan) -> None:
    """Import ``ts`` past the model's folder; raises ``LoadError`` if that is no TorchServe."""
    path = sys.path[:]
    folder = Path(node.code.model_dir).resolve()
    sys.path[:] = [each for each in path if each and Path(each).resolve() != folder]
    try:
        module = import_module("ts")
    except ImportError as reason:
        raise _load_error(node, f"it cannot be imported: {reason}") from reason
    finally:
        sys.path[:] = path
    if not _is_torchserve(getattr(module, "__path__", None)):
        raise _load_error(node, f'"{getattr(module, "__file__", "ts")}" is not it')


def _is_torchserve(places: Iterable[str] | None) -> bool:
    """Say whether a package called ``ts`` is TorchServe; other packages have that name too."""
    return any(Path(each, "torch_handler", "base_handler.py").is_file() for each in places or ())


def _load_error(node: NodePlan, words: str) -> LoadError:
    return LoadError(
        f'node "{node.name}" failed to load: --ts real asks for TorchServe, and {words}', node=node.name, hint=_HINT
    )
