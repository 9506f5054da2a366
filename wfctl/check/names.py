"""What each name of a dag stands for: a model, a function, or nothing.

Invariant: nobody is accused on a guess. A name is unknown only where the handler was read and cannot provide it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from wfctl.check.closest import closest_of_all
from wfctl.dag.graph import Dag
from wfctl.handler_facts import HandlerFacts
from wfctl.spec.model import WorkflowSpec

LONGEST_NAME = 200
"""Bytes; a node becomes ``<workflow>__<node>`` in file names, which end at 255."""

_SIGNS = re.compile(r"[-. ]")
_RESERVED = frozenset(
    {
        "models",
        "dag",
        "wfctl",
        "min-workers",
        "max-workers",
        "batch-size",
        "max-batch-delay",
        "retry-attempts",
        "timeout-ms",
    },
)


class NameKind(StrEnum):
    """What a name stands for."""

    MODEL = "model"
    FUNCTION = "function"
    UNCERTAIN = "uncertain"
    """Not a model; the handler is missing, broken, or may provide the name in a way that reading cannot see."""
    REFUSED = "refused"
    """No name at all: reserved, too long, or with characters that names cannot have."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The kinds of all names of a dag, and what the unknown ones may have been meant to be."""

    kinds: Mapping[str, NameKind]
    matches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Unknown name -> close names, best first."""

    def meant(self, name: str) -> str:
        """Return what an unknown name was most likely meant to be; any other name as it is."""
        return next(iter(self.matches.get(name, ())), name)

    def of_kind(self, *kinds: NameKind) -> tuple[str, ...]:
        """Return the names of these kinds in the order of the dag."""
        return tuple(name for name, kind in self.kinds.items() if kind in kinds)


def has_bad_form(name: str) -> bool:
    """Whether ``name`` holds, begins or ends with characters that a name cannot."""
    # Letters and digits of any script, as Python takes them; "-", "." and " " inside only, so that a name is never
    # an option, a hidden file, ".." or something a shell, a URL or TorchServe's "file:function" would split.
    plain = f"_{_SIGNS.sub('_', name)}".isidentifier()
    return not plain or not name or name[0] in "-. " or name[-1] in ". " or ".." in name


def is_reserved(name: str) -> bool:
    """Whether ``name`` has a meaning of its own in a spec or in Python."""
    return name in _RESERVED or (len(name) > len("____") and name.startswith("__") and name.endswith("__"))


def is_too_long(name: str) -> bool:
    """Whether ``name`` would not fit into a file name."""
    return len(name) > LONGEST_NAME or len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME


def is_usable(name: str) -> bool:
    """Whether a node can have this name."""
    return not (has_bad_form(name) or is_reserved(name) or is_too_long(name))


def resolve(spec: WorkflowSpec, dag: Dag, handler: HandlerFacts | None) -> Names:
    """Find out what every name of ``dag`` stands for."""
    kinds = {name: _kind(name, spec, handler) for name in dag.nodes}
    unknown = [name for name, kind in kinds.items() if kind is NameKind.UNKNOWN]
    candidates = candidates_of(spec, handler)
    return Names(kinds=kinds, matches=closest_of_all(unknown, candidates) if unknown else {})


def candidates_of(spec: WorkflowSpec, handler: HandlerFacts | None) -> tuple[str, ...]:
    """Return every name that a dag could use."""
    functions: Iterable[str] = () if handler is None else handler.functions
    return tuple(dict.fromkeys((*spec.models, *functions)))


def _kind(name: str, spec: WorkflowSpec, handler: HandlerFacts | None) -> NameKind:
    if has_bad_form(name) or is_too_long(name):
        return NameKind.REFUSED
    if name in spec.models:
        return NameKind.MODEL
    if handler is None:
        return NameKind.UNCERTAIN
    if name in handler.functions:
        return NameKind.FUNCTION
    # Without such a function a class with a method "handle" does the work, whatever the name of the node.
    if handler.has_star_import or handler.handler_classes:
        return NameKind.UNCERTAIN
    return NameKind.REFUSED if is_reserved(name) else NameKind.UNKNOWN
