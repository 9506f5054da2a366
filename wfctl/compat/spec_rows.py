"""What the check of a spec found, as differences; and what its urls say.

Invariant: the findings are the check's; here each gets the half of the sentence that tells of this side.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from wfctl.check.model import ModelFact
from wfctl.check.url import read_url
from wfctl.check.wording import quoted, to_type
from wfctl.compat.found import NOTHING_TO_DO
from wfctl.compat.model import Row
from wfctl.diagnostics.catalog import RULES, find
from wfctl.diagnostics.model import Diagnostic, Severity, Span
from wfctl.diagnostics.report import Report
from wfctl.spec.model import Batching, ModelSpec, WorkflowSpec
from wfctl.workflow import Node

_DIFFERENCES: Final = "WF9"
_HERE: Final[Mapping[str, str]] = {
    "no-models": "; here it runs",
    "globals-after-models": "; here it applies to all models",
    "several-leaves": "; here any JSON value, and text, will do",
    "several-entries-allowed": "; here each gets the input",
    "function-settings": "; here the settings apply",
    "model-not-a-store-name": "; here it is found by its path",
    "incomplete-manifest": "; here it runs",
    "config-not-supported": "; TorchServe does it",
    "unsupported-runtime": "; TorchServe runs it in that runtime, here handlers are Python",
    "none-not-guarded": "; TorchServe refuses such a workflow, here it starts",
    "zero-workers": "; TorchServe registers it and then fails every request, here it is refused",
}
"""Name of a rule -> what becomes of it here; the first sentence tells of TorchServe already."""
_SIZE: Final = "batch-size"
_SENT_EARLY: Final = (
    "TorchServe waits out max-batch-delay for a batch that is not full, also with a lone request; here it waits for"
    " requests on their way only, so that batches are smaller at low load"
)
_WAIT: Final = 'nothing to do; "batching: fixed" under "wfctl:" would wait as TorchServe does'
_MOST: Final = "max-workers"
_FOLLOW_LOAD: Final = (
    "TorchServe starts the max-workers of a model at once and keeps them, whatever min-workers says; here min-workers"
    " are started and kept, and more of them come while requests wait"
)
_ALL_AT_ONCE: Final = "raise min-workers to max-workers to have all of them from the start"
_TOLERATED: Final = "; TorchServe says nothing to this; here it runs too, and wfctl validate --compat warns of it"
_ALSO: Final = frozenset(
    {"none-not-guarded", "unmet-requirement", "config-not-supported", "config-value-ignored"},
)
"""Warnings that a person about to move must hear of."""


def rows_of(report: Report) -> Iterator[Row]:
    """Yield what is a difference, or stands in the way; advice about anything else is left out."""
    for each in report:
        rule = RULES[each.code]
        is_difference = each.code.startswith(_DIFFERENCES) or rule.tolerated or rule.name in _ALSO
        if is_difference or each.severity is Severity.ERROR:
            clause = _HERE.get(rule.name, _TOLERATED if rule.tolerated else "")
            yield Row(finding=replace(each, message=each.message + clause, help=_remedy(each)))


def fetched_model(node: Node, *, is_outside: bool) -> Iterator[Row]:
    """Tell of a model on another machine, which nobody knows from inside, or of a file outside of all places."""
    model = node.model
    if model is None or model.url is None or model.url_span is None:
        return
    url = read_url(model.url)
    theirs = f"TorchServe fetches {quoted(url.shown)} unless allowed_urls forbids it; here"
    allow = f"allow it with --allow-url {to_type(url.folder)}"
    if url.is_remote and not url.malformation():
        words = f"{theirs} nothing is fetched that is not allowed by name, and what is fetched runs if sha256 pins it"
        pin = "" if model.sha256 else ", and add sha256 to the model"
        remedy = f"{allow}{pin}; then judge the archive itself"
        yield Row(finding=find("WF930", words, model.url_span, help=remedy), nodes=(node.name,))
    elif is_outside:
        words = f"{theirs} a file that is in none of the stores must be allowed by name"
        remedy = f"{allow}, or put it beside the spec or in the model store"
        yield Row(finding=find("WF930", words, model.url_span, help=remedy), nodes=(node.name,))


def sent_early(spec: WorkflowSpec, nodes: Iterable[Node]) -> Iterator[Row]:
    """Tell of models whose batches need not fill; functions have none in TorchServe, which is a row of its own."""
    if spec.extension.batching is not Batching.ADAPTIVE:
        return
    for node in nodes:
        model, settings = node.model, node.settings
        if model is not None and settings.batch_size > 1 and settings.max_batch_delay_ms:
            yield Row(finding=find("WF940", _SENT_EARLY, _place(_SIZE, model, spec), help=_WAIT), nodes=(node.name,))


def workers_follow_load(spec: WorkflowSpec, nodes: Iterable[Node], facts: Mapping[str, ModelFact]) -> Iterator[Row]:
    """Tell of models whose workers are not all there from the start; where an archive says how many, its rows do."""
    for node in nodes:
        model, settings, fact = node.model, node.settings, facts.get(node.name)
        is_said_inside = fact is not None and fact.inside is not None and fact.inside.config.workers is not None
        if model is not None and settings.min_workers < settings.max_workers and not is_said_inside:
            at = _place(_MOST, model, spec)
            yield Row(finding=find("WF941", _FOLLOW_LOAD, at, help=_ALL_AT_ONCE), nodes=(node.name,))


def _place(key: str, model: ModelSpec, spec: WorkflowSpec) -> Span | None:
    return model.spans.get(key) or spec.globals_spans.get(key)


def _remedy(finding: Diagnostic) -> str:
    if finding.severity is Severity.NOTE:
        return NOTHING_TO_DO
    return finding.help or "see wfctl rule " + finding.code
