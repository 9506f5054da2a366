"""Whether the worker settings of each node fit together, globals taken into account.

Invariant: reads a built spec; each pair of settings is reported once, at the place that has to be changed.
"""

from collections.abc import Iterator, Mapping

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Label, Span
from wfctl.spec.model import WorkerSettings, WorkflowSpec

_LEAST, _MOST = "min-workers", "max-workers"


def worker_findings(spec: WorkflowSpec) -> Iterator[Diagnostic]:
    """Find nodes that may have fewer workers at most than at least."""
    inherits = False
    for model in spec.models.values():
        if not _are_crossed(model.settings):
            continue
        if _LEAST in model.spans or _MOST in model.spans:
            yield _crossed(f'model "{model.name}"', model.settings, model.spans, spec.globals_spans)
        else:
            inherits = True
    if inherits:
        yield _crossed("all models", spec.defaults, spec.globals_spans, {})
    for function in spec.extension.functions.values():
        if _are_crossed(function.settings):
            yield _crossed(f'function "{function.name}"', function.settings, function.spans, {})


def _are_crossed(settings: WorkerSettings) -> bool:
    # Zero at most is a finding of its own.
    return settings.min_workers > settings.max_workers > 0


def _crossed(
    subject: str, settings: WorkerSettings, own: Mapping[str, Span], inherited: Mapping[str, Span]
) -> Diagnostic:
    at = _LEAST if _LEAST in own else _MOST
    other = _MOST if at == _LEAST else _LEAST
    seen = own.get(other) or inherited.get(other)
    number = settings.max_workers if other == _MOST else settings.min_workers
    return find(
        "WF208",
        f"{subject}: at least {settings.min_workers} workers, and at most {settings.max_workers}",
        own[at],
        help=f'raise "{_MOST}" to {settings.min_workers}, or lower "{_LEAST}"',
        notes=() if seen else (f'"{other}" is {number} where it is not written',),
        secondary=(Label(span=seen, text=f'"{other}" stands here'),) if seen else (),
    )
