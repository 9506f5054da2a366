"""Advice about performance: settings that cannot do what they seem to."""

from collections.abc import Iterator

from wfctl.check.subject import Subject
from wfctl.check.wording import quoted
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Label, Span
from wfctl.spec.model import FunctionSettings, ModelSpec

_DELAY, _TIMEOUT, _RETRIES = "max-batch-delay", "timeout-ms", "retry-attempts"


def delay_without_batch(subject: Subject) -> Iterator[Diagnostic]:
    """Advise where a delay waits for a batch that is full from the start."""
    message = "a batch of one is never waited for, so max-batch-delay has no effect"
    help_text = "raise batch-size, or drop the delay"
    for owner in _owners(subject):
        if _DELAY in owner.spans and owner.settings.batch_size == 1 and owner.settings.max_batch_delay_ms:
            yield find("WF701", f"{quoted(owner.name)}: {message}", owner.spans[_DELAY], help=help_text)
    place = subject.spec.globals_spans.get(_DELAY)
    heirs = [model for model in subject.spec.models.values() if _DELAY not in model.spans] if place else []
    if place and heirs and all(model.settings.batch_size == 1 for model in heirs):
        yield find("WF701", message, place, help=help_text)


def delay_over_timeout(subject: Subject) -> Iterator[Diagnostic]:
    """Advise where a delay is longer than a try, so that the engine cuts it short."""
    for owner in _owners(subject):
        settings = owner.settings
        if settings.batch_size > 1 and settings.max_batch_delay_ms > settings.timeout_ms:
            yield find(
                "WF702",
                f"{_DELAY} of {quoted(owner.name)} is {settings.max_batch_delay_ms} ms, and a try may take"
                f" {settings.timeout_ms} ms, waiting included: no more than half of that is waited",
                _place(subject, owner),
                help="keep max-batch-delay well below timeout-ms",
            )


def retries_without_isolation(subject: Subject) -> Iterator[Diagnostic]:
    """Advise where a node asks for further attempts that its ``isolate: false`` forbids."""
    owners = {owner.name: owner for owner in _owners(subject)}
    for name, options in subject.spec.extension.nodes.items():
        owner = owners.get(name)
        if owner is None or options.isolates or _RETRIES not in owner.spans or not owner.settings.retry_attempts:
            continue
        yield find(
            "WF703",
            f"{quoted(name)}: retry-attempts has no effect once the handler was reached, for isolate is false",
            owner.spans[_RETRIES],
            help="drop retry-attempts, or isolate: false if the handler may be called again with the same request",
            secondary=(Label(span=options.spans["isolate"], text="nothing is sent again"),),
        )


def _owners(subject: Subject) -> Iterator[ModelSpec | FunctionSettings]:
    yield from subject.spec.models.values()
    yield from subject.spec.extension.functions.values()


def _place(subject: Subject, owner: ModelSpec | FunctionSettings) -> Span:
    """Return the place of the delay or the timeout, the node's own before the global one."""
    for spans in (owner.spans, subject.spec.globals_spans):
        for key in (_DELAY, _TIMEOUT):
            if key in spans:
                return spans[key]
    return owner.name_span if isinstance(owner, ModelSpec) else owner.span
