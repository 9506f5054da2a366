"""Which classes a module defines itself.

Invariant: pure look-up; nothing is imported or made.
"""

import inspect
from types import ModuleType


def list_classes_from_module(module: ModuleType, parent_class: type | None = None) -> list[type]:
    """Return the classes defined (not imported) in ``module``, only true children of ``parent_class`` if given."""
    defined = [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == module.__name__]
    if parent_class is None:
        return defined
    return [each for each in defined if issubclass(each, parent_class) and each is not parent_class]
