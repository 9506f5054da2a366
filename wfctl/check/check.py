"""The one door to "is this workflow sound?".

Invariant: pure. Texts and facts in, findings and a workflow out; no file, no network, no import of what is checked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from wfctl.check.model import Checked, Sources, Surroundings
from wfctl.check.rules.table import RULE_FUNCTIONS
from wfctl.check.subject import Subject, examine
from wfctl.diagnostics.catalog import RULES
from wfctl.diagnostics.model import Diagnostic, Severity, SourceText
from wfctl.diagnostics.report import Report
from wfctl.handler_facts import HandlerFacts, read_handler_facts
from wfctl.spec.model import WorkflowSpec
from wfctl.spec.parse import parse_spec
from wfctl.workflow import assemble

_NOTHING_KNOWN = Surroundings()


def check(
    sources: Sources,
    surroundings: Surroundings = _NOTHING_KNOWN,
    *,
    look: Callable[[WorkflowSpec], Surroundings] | None = None,
    compat: bool = False,
) -> Checked:
    """Check one workflow and report every fault at once; with ``compat``, what TorchServe tolerates is a warning.

    ``look`` gathers the surroundings where only the spec can tell what to look for, so that it is parsed once.
    """
    spec, of_spec = parse_spec(sources.spec)
    handler, of_handler = _read_handler(sources.handler)
    findings = [*of_spec, *of_handler]
    subject = None
    if spec is not None:
        surroundings = look(spec) if look else surroundings
        is_whole = not _hides_edges(spec, of_spec)
        subject = examine(sources, spec, handler, surroundings, is_whole=is_whole)
        findings += _apply_rules(subject)
    report = Report.of(map(_lowered, findings) if compat else findings)
    is_sound = subject is not None and not report.has_errors
    return Checked(
        spec=spec,
        dag=subject.dag if subject else None,
        handler=handler,
        workflow=assemble(subject.spec, subject.dag) if subject and is_sound else None,
        report=report,
    )


def _read_handler(source: SourceText | None) -> tuple[HandlerFacts | None, Sequence[Diagnostic]]:
    return (None, ()) if source is None else read_handler_facts(source)


def _apply_rules(subject: Subject) -> Iterator[Diagnostic]:
    for rule in RULE_FUNCTIONS.values():
        yield from rule(subject)


def _hides_edges(spec: WorkflowSpec, findings: Sequence[Diagnostic]) -> bool:
    """Whether a value of a wrong type stands in the dag, so that edges may be missing from what was read."""
    start = spec.dag_span.first
    end = spec.models_span.first if spec.models_span else 0
    return any(
        finding.code == "WF201"
        and finding.span is not None
        and start < finding.span.first
        and not start < end <= finding.span.first
        for finding in findings
    )


def _lowered(diagnostic: Diagnostic) -> Diagnostic:
    if RULES[diagnostic.code].tolerated and diagnostic.severity is Severity.ERROR:
        return replace(diagnostic, severity=Severity.WARNING)
    return diagnostic
