"""From the handler that a manifest names to the function that answers calls.

The import path must already begin with the model's folder (see ``place``).
Invariant: the first thing that went wrong is the thing reported, in the words of the handler's author.
"""

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from wfctl.errors import LoadError
from wfctl.handlers.context import Context
from wfctl.handlers.prediction_exception import PredictionException
from wfctl.hosting.failures import is_out_of_memory, last_line_of, traceback_of
from wfctl.hosting.ts_alias import BUILT_IN_HANDLERS
from wfctl.plan import NodePlan
from wfctl.workflow import NodeKind

Entry = Callable[[Any, Context], Any]
_DEFAULT_FUNCTION = "handle"


def load_entry(node: NodePlan, context: Context) -> Entry:
    """Import a node's handler, initialise it, and return its entry point; raises ``LoadError`` only."""
    module_part, _, function_part = node.code.handler.partition(":")
    stem = module_part.removesuffix(".py").rpartition("/")[2]
    wanted = function_part or (node.name if node.kind is NodeKind.FUNCTION else _DEFAULT_FUNCTION)
    try:
        module = _imported(stem, Path(node.code.model_dir), node)
        found = getattr(module, wanted, None)
        if inspect.isfunction(found) or (callable(found) and not inspect.isclass(found)):
            return _initialised_function(found, context, node)
        return _initialised_class(_only_class(module, wanted, node), context)
    except LoadError:
        raise
    # Whatever user code raises while loading, `sys.exit` included, is a failed load and never the end of our process.
    except (Exception, SystemExit) as reason:
        raise _load_error(node, reason) from reason


def _imported(stem: str, model_dir: Path, node: NodePlan) -> ModuleType:
    path = model_dir / f"{stem}.py"
    known = sys.modules.get(stem)
    if known is not None and path.is_file() and not _is_at(known, path):
        return _imported_from(path)
    try:
        return import_module(stem)
    except ModuleNotFoundError as missing:
        if missing.name != stem:
            raise
        return _built_in(stem, node)


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
    raise LoadError(
        f'handler "{node.code.handler}" of node "{node.name}" is not in its archive',
        node=node.name,
        hint=f"built-in handlers are: {', '.join(BUILT_IN_HANDLERS)}",
    )


def _only_class(module: ModuleType, wanted: str, node: NodePlan) -> type:
    defined = [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]
    handlers = [each for each in defined if callable(getattr(each, "handle", None))]
    if len(handlers) == 1:
        return handlers[0]
    names = ", ".join(f'"{each.__name__}"' for each in (handlers or defined)) or "no class"
    raise LoadError(
        f'handler "{node.code.handler}" of node "{node.name}" has no function "{wanted}" '
        f"and not exactly one class with a handle method; it defines {names}",
        node=node.name,
        hint=f'define "{wanted}(data, context)" at the top level of the handler',
    )


def _initialised_class(kind: type, context: Context) -> Entry:
    handler = kind()
    if callable(getattr(handler, "initialize", None)):
        handler.initialize(context)
    entry: Entry = handler.handle
    return entry


def _initialised_function(function: Entry, context: Context, node: NodePlan) -> Entry:
    """Call the function once with ``None``, by which handlers load what they need."""
    _check_arity(function, node)
    try:
        function(None, context)
    except Exception as reason:
        if not _is_lenient(node, reason):
            raise
        where = f"function {getattr(function, '__name__', node.name)}(None, context)"
        sys.stderr.write(f"{where} raised {last_line_of(reason)} at load; guard with `if data is None`\n")
    return function


def _check_arity(function: Entry, node: NodePlan) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # written in C: nothing is known of its parameters
    try:
        signature.bind(None, None)
    except TypeError as reason:
        name = getattr(function, "__name__", node.name)
        raise LoadError(
            f'function "{name}" of node "{node.name}" cannot be called with (data, context): {reason}',
            node=node.name,
            hint=f'define it as "{name}(data, context)"',
        ) from reason


def _is_lenient(node: NodePlan, reason: Exception) -> bool:
    """Say whether a failed first call is forgiven: a function that only trips over ``None`` can still answer calls.

    A model whose weights fail to load cannot, so for models only the errors by which ``None`` shows are forgiven.
    """
    if is_out_of_memory(reason):
        return False
    return node.kind is NodeKind.FUNCTION or isinstance(reason, TypeError | AttributeError | PredictionException)


def _load_error(node: NodePlan, reason: BaseException) -> LoadError:
    words = "System out of memory" if is_out_of_memory(reason) else last_line_of(reason)
    return LoadError(f'node "{node.name}" failed to load: {words}', node=node.name, traceback_text=traceback_of(reason))
