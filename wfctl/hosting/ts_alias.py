"""The import names of TorchServe's own Python package, answered by ours.

Handlers in archives write ``from ts.torch_handler.base_handler import BaseHandler``; they must run unmodified and
without TorchServe. Modules of ours are handed out as they are: one module, one class, one identity under both names.
The others are made here from the table of ``ts_names``, and find each of their names when it is asked for.

**What an archive can shadow.** An archive's own files come first on the import path, as in plain Python, with three
exceptions. Whatever is called ``ts`` or ``wfctl`` in an archive is never imported under that name: ``import ts`` and
``import wfctl`` lead to us (``ts`` to an installed TorchServe under ``--ts real``). A module that the worker has
loaded before the handler keeps its name: of the standard library that is everything our own code uses, ``json``,
``base64``, ``queue`` and ``logging`` among it, and for models ``torch`` and ``numpy`` with all that they load. And
PyYAML, which we read configurations with, keeps the name ``yaml``. Only the handler file itself may have such a name:
it is found by its place, and the module of that name stays what it was.

Invariant: asked only for ``ts`` and below; imports torch only if the handler asks for something that needs it.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from wfctl.hosting.ts_advice import UnsupportedNameError, advice_on
from wfctl.hosting.ts_names import MADE, MODULES, OURS, PACKAGES


def install_ts_alias() -> None:
    """Let this interpreter find ``ts``; once is enough, more does no harm."""
    if not any(isinstance(finder, TsFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TsFinder())


def remove_ts_alias() -> None:
    """Step back, so that an installed TorchServe is found; what was already imported from us stays what it is."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, TsFinder)]


class TsFinder:
    """Finds the names below ``ts``, and says which there are when asked for another.

    Neither it nor the loader derives from ``importlib.abc``, which would bring more with it than all of ours.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the finder's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return how to load a name below ``ts``; ``None`` for all others."""
        if fullname.partition(".")[0] != "ts":
            return None
        if fullname in MODULES:
            loader: Any = TsLoader()
            return ModuleSpec(fullname, loader, is_package=fullname in PACKAGES)
        raise UnsupportedNameError(fullname, advice_on(fullname))


class TsLoader:
    """Fills one module below ``ts``."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:  # noqa: ARG002 - the loader's signature
        """Leave it to the import system to make the module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Put our own module in the place of the new one, or let the new one find its names in the table."""
        name = module.__name__
        if name in OURS:
            # The import system hands out what stands here after we return.
            sys.modules[name] = import_module(OURS[name])
            return
        sources = MADE.get(name, {})
        module.__dict__["__all__"] = [each for each in sources if not each.startswith("_")]
        module.__dict__["__getattr__"] = _Names(name, sources)
        module.__dict__["__dir__"] = lambda: [*sources, "__name__"]


class _Names:
    """Looks up the names of one module that we made, each when it is first asked for."""

    def __init__(self, module: str, sources: Mapping[str, str]) -> None:
        self._module = module
        self._sources = sources

    def __call__(self, name: str) -> Any:
        """Return what the table has under ``name``: a value of ours, or a module below this one."""
        below = f"{self._module}.{name}"
        if name in self._sources:
            found = getattr(import_module(self._sources[name]), name)
            sys.modules[self._module].__dict__[name] = found
            return found
        if below in MODULES:
            return import_module(below)
        raise AttributeError(f'"{self._module}" has no "{name}" in wfctl', name=name, obj=sys.modules.get(self._module))
