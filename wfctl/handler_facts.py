"""What a handler file offers, read with ``ast``; the file is never imported.

Invariant: facts only. Whether a function is called for, or is good enough, is decided by the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wfctl.diagnostics.model import SourceText, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFact:
    """One name at the top level of the handler that can be called."""

    name: str
    span: Span
    """Place of the name in its ``def``."""
    required: int
    """Positional parameters without a default; ``data`` and ``context`` are two."""
    accepts: int | None
    """Positional parameters in all; ``None`` with ``*args``."""
    is_async: bool = False
    guards_none: bool = True
    """False only if the body surely touches ``data`` as if it were never ``None``."""
    is_opaque: bool = False
    """Bound by an import, an assignment or a decorator: its parameters are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerFacts:
    """One handler file."""

    source: SourceText
    functions: Mapping[str, FunctionFact] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    """Classes defined (not imported) at the top level."""
    has_star_import: bool = False
    """``from x import *`` may bring any name."""
