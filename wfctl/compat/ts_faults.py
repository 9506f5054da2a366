"""Which names below ``ts`` a handler asks for in vain.

Invariant: nothing below ``ts`` is imported to know it; the names of our own modules are read from their text.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from wfctl.hosting.ts_advice import advice_on
from wfctl.hosting.ts_names import MADE, MODULES, OURS, PACKAGES
from wfctl.none_guard import outside_functions


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
    names = MADE.get(module) or [each for each, is_own in (_names_of(OURS[module]) or {}).items() if is_own]
    shown = sorted(each for each in names if not each.startswith("_"))
    return f"supported are {', '.join(shown)}" if shown else advice_on(module)


@cache
def _names_of(ours: str) -> Mapping[str, bool] | None:
    """Return what the text of one of our modules binds at its top level, and whether it is no import.

    ``None`` if there is no such text.
    """
    spec = find_spec(ours)
    if spec is None or spec.origin is None:
        return None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    names: dict[str, bool] = {}
    for node in outside_functions(tree):
        if isinstance(node, ast.alias):
            names[(node.asname or node.name).partition(".")[0]] = False
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] = True
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = True
    return names
