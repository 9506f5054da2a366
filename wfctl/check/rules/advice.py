"""Advice about performance: settings that cannot do what they seem to."""

from collections.abc import Iterator

from wfctl.check.subject import Subject
from wfctl.check.wording import quoted
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Span
from wfctl.spec.model import ModelSpec

_DELAY, _TIMEOUT = "max-batch-delay", "timeout-ms"


def delay_without_batch(subject: Subject) -> Iterator[Diagnostic]:
    """Advise where a delay waits for a batch that is full from the start."""
    spec = subject.spec
    message = "a batch of one is never waited for, so max-batch-delay has no effect"
    help_text = "raise batch-size, or drop the delay"
    for model in spec.models.values():
        if _DELAY in model.spans and model.settings.batch_size == 1 and model.settings.max_batch_delay_ms:
            yield find("WF701", f"{quoted(model.name)}: {message}", model.spans[_DELAY], help=help_text)
    heirs = [model for model in spec.models.values() if _DELAY not in model.spans]
    if _DELAY in spec.globals_spans and heirs and all(model.settings.batch_size == 1 for model in heirs):
        yield find("WF701", message, spec.globals_spans[_DELAY], help=help_text)


def delay_over_timeout(subject: Subject) -> Iterator[Diagnostic]:
    """Advise where a call may time out while its batch is still gathering."""
    for model in subject.spec.models.values():
        settings = model.settings
        if settings.batch_size > 1 and settings.max_batch_delay_ms > settings.timeout_ms:
            yield find(
                "WF702",
                f"{quoted(model.name)} may wait {settings.max_batch_delay_ms} ms for its batch,"
                f" and a try may take {settings.timeout_ms} ms, waiting included",
                _place(subject, model),
                help="keep max-batch-delay well below timeout-ms",
            )


def _place(subject: Subject, model: ModelSpec) -> Span:
    """Return the place of the delay or the timeout, the model's own before the global one."""
    for spans in (model.spans, subject.spec.globals_spans):
        for key in (_DELAY, _TIMEOUT):
            if key in spans:
                return spans[key]
    return model.name_span
