"""The one door of the room: the text of a spec in, its value and every finding about it out.

Invariant: never raises for what a text holds; the value is given whenever models and dag could be read, also where
there are errors, so that later checks can say all they know.
"""

from itertools import islice

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, SourceText
from wfctl.spec.build import build_spec
from wfctl.spec.compose import MAX_FINDINGS
from wfctl.spec.mend import given
from wfctl.spec.model import WorkflowSpec
from wfctl.spec.nodes import Mapping
from wfctl.spec.schema import load_schema
from wfctl.spec.shape import shape_findings
from wfctl.spec.source import compose


def parse_spec(source: SourceText) -> tuple[WorkflowSpec | None, tuple[Diagnostic, ...]]:
    """Read a workflow spec."""
    root, read = compose(source)
    findings = list(read)
    if root is None:
        return None, tuple(findings)
    if not isinstance(root, Mapping):
        findings.append(_no_mapping(source, given(root)))
        return None, tuple(findings)
    findings += islice(shape_findings(source, root, load_schema("workflow-spec")), MAX_FINDINGS)
    spec, built = build_spec(source, root)
    return spec, (*findings, *built)


def _no_mapping(source: SourceText, what: str) -> Diagnostic:
    return find(
        "WF201",
        f'a spec must be a mapping with "models" and "dag", not {what}',
        source.span(0, 0),
        help='write "dag:" at the left margin, and "models:" above it',
    )
