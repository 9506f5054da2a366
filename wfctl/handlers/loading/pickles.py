"""Files of ``torch.save``: read without running what stands in them, and in full only if the archive is trusted.

Invariant: the first try is always ``weights_only``; whoever gets more is told so by a warning that names the file.
"""

import logging
import pickle
import re
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from wfctl.handlers.unloadable import UnloadableModelError

_log = logging.getLogger(__name__)

_REFUSED_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_STOPPED_AT = re.compile(r"WeightsUnpickler error:\s*([^\n]+)")
_NEVER_WEIGHTS_ONLY = "Cannot use ``weights_only=True``"


def load_saved(
    path: str,
    *,
    map_location: Any = None,
    mmap: bool = False,
    is_trusted: bool = True,
    module: ModuleType | None = None,
) -> Any:
    """Return what a file holds; names of ``__main__`` that it asks for are looked for in ``module`` too."""
    name = Path(path).name
    try:
        with warnings.catch_warnings():
            # Hints of torch about files that it refuses in the next breath.
            warnings.filterwarnings("ignore", "Detected pickle protocol|'torch.load' received a zip", UserWarning)
            return torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    except MemoryError:
        raise
    except Exception as reason:  # what is no pickle of torch fails the careful reader in many ways
        if "TorchScript archives" in str(reason):
            raise UnloadableModelError(f'"{name}" is a TorchScript file, which needs no model file') from reason
        if not _is_refusal(reason):
            raise UnloadableModelError(f'"{name}" cannot be read: {_first_line(reason)}') from reason
        held = _refused(path, reason)
        if not is_trusted:
            raise UnloadableModelError(
                f'"{name}" {held}, and reading it in full may run code of the archive, which is not trusted; run it '
                "with --trust if you know where it comes from"
            ) from reason
    found = _loaded_in_full(path, map_location, mmap=mmap, module=module)
    _log.warning('"%s" %s; it was read in full, because the archive is trusted', name, held)
    return found


def _loaded_in_full(path: str, map_location: Any, *, mmap: bool, module: ModuleType | None) -> Any:
    try:
        return torch.load(
            path,
            map_location=map_location,
            weights_only=False,
            mmap=mmap,
            pickle_module=_pickle_that_sees(module),
        )
    except (pickle.UnpicklingError, AttributeError, ImportError, EOFError) as reason:
        raise UnloadableModelError(f'"{Path(path).name}" cannot be read: {_first_line(reason)}') from reason


def _is_refusal(reason: Exception) -> bool:
    """Tell what ``weights_only`` refuses, or what its reader trips over, from a file that is broken."""
    return not isinstance(reason, RuntimeError | EOFError) or _NEVER_WEIGHTS_ONLY in str(reason)


def _refused(path: str, reason: Exception) -> str:
    """Say why a careful reading is not enough, with the names that only a full one resolves."""
    if _NEVER_WEIGHTS_ONLY in str(reason):
        return "has the form of old releases"
    try:
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # noqa: BLE001 - made for the present form of files only
        names = sorted(set(_REFUSED_GLOBAL.findall(str(reason))))
    if names:
        return "holds more than weights (" + ", ".join(f'"{each}"' for each in names) + ")"
    return f"cannot be read as weights ({_own_words(reason)})"


def _own_words(reason: Exception) -> str:
    """Return why the careful reader stopped, without torch's advice around it."""
    found = _STOPPED_AT.search(str(reason))
    return found[1].strip() if found else _first_line(reason)


def _first_line(reason: Exception) -> str:
    words = str(reason).strip().partition("\n")[0]
    return f"{type(reason).__name__}: {words}" if words else type(reason).__name__


def _pickle_that_sees(module: ModuleType | None) -> Any:
    """Return a pickle module that finds in ``module`` what was saved by a script, as ``__main__.Net``.

    What a careful reading may make, by whatever name, a full one finds by that name too.
    """
    allowed = {
        (each.__module__, each.__qualname__): each
        for each in torch.serialization.get_safe_globals()
        if not isinstance(each, tuple)
    }
    name_of_module = module.__name__ if module is not None else ""
    aliases = {"__main__", name_of_module.removeprefix("wfctl_model_")}

    class Unpickler(pickle.Unpickler):
        def find_class(self, module_name: str, name: str, /) -> Any:
            if (module_name, name) in allowed:
                return allowed[module_name, name]
            is_ours = module_name in aliases and hasattr(module, name.partition(".")[0])
            return super().find_class(name_of_module if is_ours else module_name, name)

    return SimpleNamespace(**{**vars(pickle), "Unpickler": Unpickler})
