"""The model file of an archive: imported once, and the one class that it defines.

Invariant: a module that is loaded already is never replaced.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from wfctl.handlers.classes import list_classes_from_module
from wfctl.handlers.unloadable import UnfitFileError, UnloadableModelError


def load_model_class(model_dir: str, model_file: str) -> type:
    """Return the one class that ``model_file`` defines."""
    path = Path(model_dir, model_file)
    if not path.is_file():
        raise UnloadableModelError(f'model file "{model_file}" is not in the archive')
    classes = list_classes_from_module(_module_at(path))
    if len(classes) != 1:
        names = ", ".join(f'"{each.__name__}"' for each in classes) or "none"
        raise UnfitFileError(f'model file "{model_file}" must define exactly one class; it defines {names}')
    return classes[0]


def _module_at(path: Path) -> ModuleType:
    """Import the model file as the handler itself would, so that both see the same class."""
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    name = path.stem if known is None else f"wfctl_model_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UnloadableModelError(f'model file "{path.name}" is no Python file')
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
