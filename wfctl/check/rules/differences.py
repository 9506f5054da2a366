"""Notes where we and TorchServe differ: what runs here, and would not, or not so, run there."""

from collections.abc import Iterator

from wfctl.check.names import NameKind
from wfctl.check.subject import Subject
from wfctl.check.wording import listed, quoted
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Label, Span
from wfctl.spec.model import ModelSpec, WorkerSettings

_LABELS = 10


def no_models(subject: Subject) -> Iterator[Diagnostic]:
    """Note that a workflow of functions only is new."""
    if subject.spec.models_span is None:
        yield find("WF901", "there are no models; TorchServe refuses such a spec", subject.spec.dag_span)


def globals_after_models(subject: Subject) -> Iterator[Diagnostic]:
    """Note each global key that TorchServe would not apply to the models above it."""
    for key, span in subject.spec.globals_spans.items():
        above = [model for model in _models_above(subject, span) if key not in model.spans]
        if above:
            yield find(
                "WF902",
                f"TorchServe does not apply {quoted(key)} to the models above it"
                f" ({listed([model.name for model in above])})",
                span,
                help="put the global keys before the models",
                secondary=tuple(Label(span=m.name_span, text="not applied to this one") for m in above[:_LABELS]),
            )


def _models_above(subject: Subject, span: Span) -> list[ModelSpec]:
    return [model for model in subject.spec.models.values() if model.name_span.first < span.first]


def several_leaves(subject: Subject) -> Iterator[Diagnostic]:
    """Note that TorchServe joins the answers of several leaves only if each is a JSON object."""
    # Parts beyond the first are an error of their own, unless they are allowed.
    has_all = subject.spec.extension.allows_many_entries
    faulty = frozenset(subject.names.of_kind(NameKind.UNKNOWN, NameKind.REFUSED))
    leaves = [name for name in subject.mended.leaves if (has_all or name in subject.parts[0]) and name not in faulty]
    if len(leaves) > 1 and subject.is_whole:
        yield find(
            "WF903",
            f"the answer is made of {len(leaves)} leaves: {listed(leaves)};"
            " TorchServe fails unless each answers with a JSON object",
            subject.places[leaves[1]],
            secondary=tuple(
                Label(span=subject.places[name], text="a leaf") for name in (leaves[0], *leaves[2:_LABELS])
            ),
        )


def several_entries_allowed(subject: Subject) -> Iterator[Diagnostic]:
    """Note that the several entries a spec allows itself are refused by TorchServe."""
    entries = subject.mended.entries
    if subject.spec.extension.allows_many_entries and len(entries) > 1:
        yield find(
            "WF904",
            f"the dag has {len(entries)} entries: {listed(entries)}; TorchServe demands exactly one",
            subject.places[entries[1]],
            secondary=tuple(
                Label(span=subject.places[name], text="an entry") for name in (entries[0], *entries[2:_LABELS])
            ),
        )


def function_settings(subject: Subject) -> Iterator[Diagnostic]:
    """Note each function with settings that TorchServe has no place for."""
    fixed = WorkerSettings(max_batch_delay_ms=0)
    functions = frozenset(subject.names.of_kind(NameKind.FUNCTION, NameKind.UNCERTAIN))
    for name, own in subject.spec.extension.functions.items():
        has_workers = (own.settings.min_workers, own.settings.max_workers) != (fixed.min_workers, fixed.max_workers)
        if (has_workers or own.settings.batch_size != fixed.batch_size) and name in functions:
            yield find(
                "WF905",
                f"TorchServe runs the function {quoted(name)} with one worker and batch size 1, whatever is set here",
                own.span,
            )


def object_payload(subject: Subject) -> Iterator[Diagnostic]:
    """Note that TorchServe hands bytes to the nodes that are to get values here."""
    span = subject.spec.extension.objects_span
    if span is not None and any(entry.targets for entry in subject.spec.dag):
        yield find(
            "WF910",
            "values travel between the nodes as they are; TorchServe makes bytes of them",
            span,
            help="a handler that shall work there too must take both",
        )


def model_not_a_store_name(subject: Subject) -> Iterator[Diagnostic]:
    """Note each url that names a path, where TorchServe reads names in its store only."""
    for model, url in subject.urls:
        if url.is_local and "/" in url.text and not url.escape():
            yield find(
                "WF906",
                f"TorchServe looks for the model {quoted(model.name)} in its model store only, not in a folder",
                model.url_span,
            )
