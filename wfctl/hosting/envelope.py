"""The envelope around an entry point, which turns a serving protocol's requests into the handler's and back.

Invariant: the initialising call goes to the handler itself, and never through the envelope.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from wfctl.errors import LoadError
from wfctl.handlers.classes import list_classes_from_module
from wfctl.handlers.context import Context
from wfctl.hosting.ts_names import ENVELOPES
from wfctl.plan import NodePlan

_OURS: Final = "wfctl.handlers.envelopes"
_REAL: Final = "ts.torch_handler.request_envelope"


def enveloped(entry: Callable[[Any, Context], Any], node: NodePlan) -> Callable[[Any, Context], Any]:
    """Return the entry point inside the envelope that the plan names for the node, if it names one."""
    name = node.code.envelope
    if name is None:
        return entry
    found: Callable[[Any, Context], Any] = _class_in(_module(name, node), name, node)(entry).handle
    return found


def _module(name: str, node: NodePlan) -> ModuleType:
    """Import the module of an envelope: a built-in one, else one of the archive's or an installed one by its name."""
    if name in ENVELOPES:
        return import_module(f"{_REAL if node.code.uses_real_ts else _OURS}.{name}")
    try:
        return import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is None or not f"{name}.".startswith(f"{missing.name}."):
            raise
        raise LoadError(
            f'there is no envelope "{name}" for node "{node.name}"',
            node=node.name,
            hint=f"envelopes are {', '.join(ENVELOPES)}, or a module of the archive with a class for it",
        ) from missing


def _class_in(module: ModuleType, name: str, node: NodePlan) -> Any:
    # Of several the first in alphabetical order, as in the original.
    classes = [each for each in list_classes_from_module(module) if callable(getattr(each, "handle", None))]
    if not classes:
        raise LoadError(
            f'the module of the envelope "{name}" for node "{node.name}" defines no class with a handle method',
            node=node.name,
            hint="derive one from ts.torch_handler.request_envelope.base.BaseEnvelope",
        )
    return classes[0]
