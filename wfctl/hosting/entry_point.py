"""From the handler that a manifest names to the function that answers calls.

The import path must already begin with the model's folder (see ``place``).
Invariant: the first thing that went wrong is the thing reported, in the words of the handler's author.
"""

import inspect
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from wfctl.errors import LoadError
from wfctl.handlers.context import Context
from wfctl.handlers.prediction_exception import PredictionException
from wfctl.hosting.envelope import enveloped
from wfctl.hosting.failures import is_load_out_of_memory, last_line_of, traceback_of
from wfctl.hosting.handler_module import handler_module
from wfctl.hosting.missing_package import hint_for
from wfctl.plan import NodePlan
from wfctl.workflow import NodeKind

Entry = Callable[[Any, Context], Any]
_DEFAULT_FUNCTION = "handle"


def load_entry(node: NodePlan, context: Context) -> Entry:
    """Import a node's handler, initialise it, and return its entry point; raises ``LoadError`` only."""
    module_part, _, function_part = node.code.handler.partition(":")
    wanted = function_part or (node.name if node.kind is NodeKind.FUNCTION else _DEFAULT_FUNCTION)
    try:
        module = handler_module(module_part, node)
        return enveloped(_entry_of(module, wanted, node, context), node)
    except LoadError:
        raise
    # Whatever user code raises while loading, `sys.exit` included, is a failed load and never the end of our process.
    except (Exception, SystemExit) as reason:
        raise _load_error(node, reason) from reason


def _entry_of(module: ModuleType, wanted: str, node: NodePlan, context: Context) -> Entry:
    found = getattr(module, wanted, None)
    if callable(found) and not inspect.isclass(found):
        return _initialised_function(found, context, node)
    if inspect.isclass(found) and callable(getattr(found, "handle", None)):
        return _initialised_class(found, context, node)  # the original would call the class itself, to no use
    return _initialised_class(_only_class(module, wanted, node), context, node)


def _only_class(module: ModuleType, wanted: str, node: NodePlan) -> type:
    # A second name of a class does not make it two.
    here = [each for each in vars(module).values() if getattr(each, "__module__", None) == module.__name__]
    own = {id(each): each for each in here}.values()
    defined = [each for each in own if inspect.isclass(each) and not inspect.isabstract(each)]
    handlers = [each for each in defined if callable(getattr(each, "handle", None))]
    for candidates in (handlers, defined):
        if len(candidates) == 1:
            return candidates[0]
    raise LoadError(
        f'handler "{node.code.handler}" of node "{node.name}" has no function "{wanted}" '
        f"and not exactly one class with a handle method; it defines {_shown(handlers or own)}",
        node=node.name,
        hint=f'define "{wanted}(data, context)" at the top level of the handler',
    )


def _shown(defined: Iterable[Any]) -> str:
    named = [
        f'"{each.__name__}"{" (abstract)" if inspect.isabstract(each) else ""}'
        for each in defined
        if inspect.isclass(each) or inspect.isfunction(each)
    ]
    return ", ".join(named) or "neither classes nor functions"


def _initialised_class(kind: type, context: Context, node: NodePlan) -> Entry:
    handler = kind()
    entry: Entry | None = getattr(handler, "handle", None)  # a constructor may have put it there
    if not callable(entry):
        raise LoadError(
            f'class "{kind.__name__}" of node "{node.name}" has no handle method',
            node=node.name,
            hint='define "handle(self, data, context)" in it',
        )
    _refuse_async(entry, f'method "{kind.__name__}.handle"', node)
    if callable(getattr(handler, "initialize", None)):
        handler.initialize(context)
    return entry


def _initialised_function(function: Entry, context: Context, node: NodePlan) -> Entry:
    """Call the function once with ``None``, by which handlers load what they need."""
    _refuse_async(function, f'function "{_name_of(function, node)}"', node)
    _check_arity(function, node)
    try:
        function(None, context)
    except Exception as reason:
        if not _is_lenient(node, reason):
            raise
        where = f"function {_name_of(function, node)}(None, context)"
        sys.stderr.write(f"{where} raised {last_line_of(reason)} at load; guard with `if data is None`\n")
    return function


def _name_of(function: Entry, node: NodePlan) -> str:
    return str(getattr(function, "__name__", node.name))


def _refuse_async(entry: Entry, shown: str, node: NodePlan) -> None:
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    looked_at = entry if inspect.isroutine(entry) else getattr(entry, "__call__", entry)  # noqa: B004 - its code
    if any(is_async(each) for is_async in kinds for each in (entry, looked_at)):
        raise LoadError(
            f'{shown} of node "{node.name}" is async; a handler is called, and not awaited',
            node=node.name,
            hint="define it with a plain def, and run what is async inside it with asyncio.run",
        )


def _check_arity(function: Entry, node: NodePlan) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # written in C: nothing is known of its parameters
    try:
        signature.bind(None, None)
    except TypeError as reason:
        name = _name_of(function, node)
        raise LoadError(
            f'function "{name}" of node "{node.name}" cannot be called with (data, context): {reason}',
            node=node.name,
            hint=f'define it as "{name}(data, context)"',
        ) from reason


def _is_lenient(node: NodePlan, reason: Exception) -> bool:
    """Say whether a failed first call is forgiven: a function that only trips over ``None`` can still answer calls.

    A model whose weights fail to load cannot, so for models only the errors by which ``None`` shows are forgiven.
    """
    if is_load_out_of_memory(reason):
        return False
    return node.kind is NodeKind.FUNCTION or isinstance(reason, TypeError | AttributeError | PredictionException)


def _load_error(node: NodePlan, reason: BaseException) -> LoadError:
    words = last_line_of(reason)
    if is_load_out_of_memory(reason):
        words = f"System out of memory ({words})"
    return LoadError(
        f'node "{node.name}" failed to load: {words}',
        node=node.name,
        traceback_text=traceback_of(reason),
        hint=hint_for(reason, node.code),
    )
