"""What must be loaded before an archive's folder enters the import path, so that nothing in it can take its place.

The standard library's modules below are those that modules of ours import which are themselves loaded only when a
handler asks for them. Under TorchServe they are loaded too when a handler begins, as torch brings them.
Invariant: loads nothing of the archive; what is listed here is small, and shared by all workers.
"""

import base64  # noqa: F401
import concurrent.futures.thread  # noqa: F401
import datetime as dt  # noqa: F401 - PyYAML's
import queue  # noqa: F401
import unicodedata  # noqa: F401
from importlib import import_module
from pathlib import Path
from typing import Final

_LATE: Final = {"yaml": "wfctl.spec.source"}
"""Library that we load late -> the module of ours that needs it."""


def hold_late_libraries(*folders: str) -> None:
    """Load the libraries that we would load later, where one of an archive's folders has something of the same name."""
    for library, user in _LATE.items():
        if any(Path(each, library).is_dir() or Path(each, f"{library}.py").is_file() for each in folders):
            import_module(user)
