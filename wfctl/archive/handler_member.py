"""Which member of a model's archive is its handler: the one that a manifest's words mean, or the usual one.

Invariant: names only, and found as Python finds a module whose import path begins with the archive's folder.
"""

from collections.abc import Collection
from typing import Final

USUAL_HANDLER: Final = "handler.py"
_COMPILED: Final = (".so", ".pyc")


def handler_module_of(handler: str) -> str:
    """Return the module that a manifest's handler stands for: of a path only the last part counts."""
    return handler.partition(":")[0].removesuffix(".py").rpartition("/")[2]


def handler_member(handler: str, members: Collection[str]) -> str | None:
    """Return the member that a manifest's handler is, ``None`` if it is none of the archive's."""
    base = handler_module_of(handler).replace(".", "/")
    for name in (f"{base}.py", f"{base}/__init__.py"):
        if name in members:
            return name
    compiled = (each for each in sorted(members) if each.startswith(f"{base}.") and each.endswith(_COMPILED))
    return next(compiled, None)


def usual_handler(members: Collection[str]) -> str | None:
    """Return the handler of an archive that names none: ``handler.py``, or the only Python file."""
    files = [name for name in members if name.endswith(".py") and "/" not in name]
    return USUAL_HANDLER if USUAL_HANDLER in files else files[0] if len(files) == 1 else None
