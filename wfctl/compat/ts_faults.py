"""Which names below ``ts`` a handler asks for in vain.

Invariant: nothing below ``ts`` is imported to know it; the names of our own modules are read from their text.
"""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from wfctl.hosting.ts_advice import advice_on
from wfctl.hosting.ts_names import MADE, MODULES, OURS, PACKAGES


def faults_of(module: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that an import would not find, and what to use instead."""
    if module.partition(".")[0] != "ts":
        return
    if module not in MODULES:
        yield module, advice_on(module)
        return
    for name in names:
        if name != "*" and f"{module}.{name}" not in MODULES and not _has(module, name):
            yield f"{module}.{name}", _advice(module, name)


def _has(module: str, name: str) -> bool:
    if module in OURS:
        known = _names_of(OURS[module])
        return known is None or name in known
    return name in MADE.get(module, {})


def _advice(module: str, name: str) -> str:
    if module in PACKAGES:
        return advice_on(f"{module}.{name}")
    names = sorted(MADE.get(module) or _names_of(OURS.get(module, "")) or ())
    shown = [each for each in names if not each.startswith("_")]
    return f"supported are {', '.join(shown)}" if shown else advice_on(module)


@cache
def _names_of(ours: str) -> frozenset[str] | None:
    """Return what the text of one of our modules binds at its top level; ``None`` if there is no such text."""
    spec = find_spec(ours) if ours else None
    if spec is None or spec.origin is None:
        return None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    names: set[str] = set()
    for statement in tree.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.alias):
                names.add((node.asname or node.name).partition(".")[0])
        name = getattr(statement, "name", None)
        if isinstance(name, str):
            names.add(name)
    return frozenset(names)
