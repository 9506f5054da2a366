"""Marked tree to ``WorkflowSpec``: globals first wherever they stand, then models, then the dag.

What the schema finds wrong is not found again: a value that cannot be used leaves its default behind, a part that
cannot be used leaves nothing. Names and numbers that YAML 1.1 reads otherwise than they look are found here, for
here it is known which word is a name and which a number.

Invariant: units and defaults are settled here, once; nothing above knows YAML.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from wfctl.diagnostics.model import Diagnostic, SourceText
from wfctl.spec import nodes
from wfctl.spec.compose import MAX_FINDINGS
from wfctl.spec.extension import build_extension
from wfctl.spec.model import SETTING_FIELDS, DagEntry, ModelSpec, Target, WorkerSettings, WorkflowSpec
from wfctl.spec.nodes import Node, Scalar, Sequence, find_pair
from wfctl.spec.scalars import Kind
from wfctl.spec.settings import read_settings
from wfctl.spec.spans import Spans
from wfctl.spec.traps import name_finding
from wfctl.spec.workers import worker_findings


def build_spec(source: SourceText, root: nodes.Mapping) -> tuple[WorkflowSpec | None, list[Diagnostic]]:
    """Build the spec; none where ``models`` or ``dag`` cannot be read."""
    findings: list[Diagnostic] = []
    models = _part(root, "models")
    dag = find_pair(root, "dag")
    if models is None or dag is None or not isinstance(dag[1], nodes.Mapping) or not dag[1].keys:
        return None, findings
    settings = nodes.Mapping(0, 0, [], [])
    entries = []
    for key, value in models[1].pairs():
        if key.text in SETTING_FIELDS:
            settings.keys.append(key)
            settings.values.append(value)
        elif _is_entry(value):
            entries.append((key, value))
    defaults = read_settings(source, settings, WorkerSettings(), findings)
    spec = WorkflowSpec(
        source=source,
        defaults=defaults,
        globals_spans=Spans(source, {key.text: key for key in settings.keys}),
        models={key.text: _model(source, key, value, defaults, findings) for key, value in entries},
        models_span=source.span(models[0].start, models[0].end) if models[0] else None,
        dag=tuple(_dag_entries(source, dag[1], findings)),
        dag_span=source.span(dag[0].start, dag[0].end),
        extension=build_extension(source, root, defaults, findings),
    )
    findings += islice(worker_findings(spec), MAX_FINDINGS)
    return spec, findings


def _is_entry(value: Node) -> bool:
    """Whether a model was meant, even if written wrongly; a number is some misspelt setting."""
    return not isinstance(value, Scalar) or value.kind is Kind.NULL or (value.kind is Kind.TEXT and "." in value.text)


_EMPTY = nodes.Mapping(0, 0, [], [])


def _part(root: nodes.Mapping, name: str) -> tuple[Scalar | None, nodes.Mapping] | None:
    """Return an optional part, an empty one where it is left out; nothing where it is no mapping."""
    pair = find_pair(root, name)
    if pair is None:
        return None, _EMPTY
    key, value = pair
    if isinstance(value, Scalar) and value.kind is Kind.NULL:
        return key, _EMPTY
    return (key, value) if isinstance(value, nodes.Mapping) else None


def _model(
    source: SourceText, key: Scalar, value: Node, defaults: WorkerSettings, findings: list[Diagnostic]
) -> ModelSpec:
    _report_name(source, key, findings)
    entry = value if isinstance(value, nodes.Mapping) else _EMPTY
    found = {each.text: node for each, node in entry.pairs()}
    url = _text(found.get("url"))
    digest = _text(found.get("sha256"))
    return ModelSpec(
        name=key.text,
        name_span=source.span(key.start, key.end),
        url=url.text if url else None,
        url_span=source.span(url.start, url.end) if url else None,
        sha256=digest.text if digest else None,
        settings=read_settings(source, entry, defaults, findings),
        spans=Spans(source, found),
    )


def _text(node: Node | None) -> Scalar | None:
    return node if isinstance(node, Scalar) and node.kind is Kind.TEXT and node.text else None


def _dag_entries(source: SourceText, dag: nodes.Mapping, findings: list[Diagnostic]) -> Iterator[DagEntry]:
    for key, value in dag.pairs():
        _report_name(source, key, findings)
        # "a: b" is a finding of its own; read as "a: [b]" it brings no others with it.
        items = value.items if isinstance(value, Sequence) else [value]
        yield DagEntry(
            name=key.text,
            span=source.span(key.start, key.end),
            targets=tuple(_targets(source, items)),
        )


def _targets(source: SourceText, items: Iterable[Node]) -> Iterator[Target]:
    for item in items:
        if isinstance(item, Scalar) and item.kind is not Kind.NULL and item.text.strip():
            yield Target(name=item.text, span=source.span(item.start, item.end))


def _report_name(source: SourceText, key: Scalar, findings: list[Diagnostic]) -> None:
    if key.kind is not Kind.TEXT and len(findings) < MAX_FINDINGS:
        findings.extend(filter(None, [name_finding(source, key)]))
