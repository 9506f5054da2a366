"""Classes by name: those a module defines itself, and one by its full name.

Invariant: nothing is made; only ``import_class`` imports, and only what it is told.
"""

import inspect
from importlib import import_module
from types import ModuleType
from typing import Any


def list_classes_from_module(module: ModuleType, parent_class: type | None = None) -> list[type]:
    """Return the classes defined (not imported) in ``module``, only ``parent_class`` and its children if given."""
    defined = [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == module.__name__]
    return defined if parent_class is None else [each for each in defined if issubclass(each, parent_class)]


def import_class(class_name: str, module_prefix: str | None = None) -> Any:
    """Return the class that a dotted name stands for, below ``module_prefix`` if given; raises ``ImportError``."""
    module_name, _, name = (class_name or "").rpartition(".")
    full = ".".join(filter(None, (module_prefix, module_name)))
    if not name:
        raise ImportError("no class is named")
    if not full:
        raise ImportError(f'class "{name}" needs the name of its module before it')
    found = getattr(import_module(full), name, None)
    if found is None:
        raise ImportError(f'module "{full}" has no class "{name}"')
    return found
