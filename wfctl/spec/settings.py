"""The worker settings of one mapping.

Invariant: takes what is a whole number and leaves the rest to the schema's findings.
"""

from dataclasses import replace

from wfctl.diagnostics.model import Diagnostic, SourceText
from wfctl.spec.model import SETTING_FIELDS, WorkerSettings
from wfctl.spec.nodes import Mapping, Node, Scalar
from wfctl.spec.scalars import Kind, value_of
from wfctl.spec.traps import number_finding


def read_settings(
    source: SourceText, entry: Mapping, defaults: WorkerSettings, findings: list[Diagnostic]
) -> WorkerSettings:
    """Return ``defaults`` with the settings of ``entry`` in place."""
    own: dict[str, int] = {}
    for key, value in entry.pairs():
        field = SETTING_FIELDS.get(key.text)
        number = None if field is None else read_number(source, value, findings)
        if field is not None and number is not None:
            own[field] = number
    return replace(defaults, **own) if own else defaults


def read_number(source: SourceText, node: Node, findings: list[Diagnostic]) -> int | None:
    """Return a whole number; nothing where the schema finds the value wrong."""
    if not isinstance(node, Scalar) or node.kind is not Kind.INTEGER:
        return None
    odd = number_finding(source, node)
    if odd is not None:
        findings.append(odd)
    try:
        value = value_of(node.kind, node.text)
    except ValueError:
        return None
    return value if isinstance(value, int) and value >= 0 else None
