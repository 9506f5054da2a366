"""Checks of whole workflows as the tests write them: bytes, a handler's text, and what a store holds."""

import json
from collections.abc import Mapping
from dataclasses import replace

from wfctl.archive.inside import inside_of
from wfctl.archive.manifest import parse_war_manifest
from wfctl.check.check import check
from wfctl.check.model import Checked, Inside, ModelFact, Sources, Surroundings
from wfctl.check.page import Example
from wfctl.diagnostics.model import Diagnostic, SourceText
from wfctl.diagnostics.report import Report
from wfctl.spec.model import WorkflowSpec
from wfctl.spec.text import read_spec_text


def check_example(example: Example, *, spec_name: str = "workflow.yaml", compat: bool = False) -> Checked:
    source = read_spec_text(example.spec, spec_name)
    if isinstance(source, Diagnostic):
        return Checked(spec=None, dag=None, handler=None, workflow=None, report=Report.of([source]))
    handler = None if example.handler is None else SourceText(example.handler_name, example.handler)

    manifest_path = "WAR-INF/MANIFEST.json"
    manifest = example.members.get(manifest_path)

    def look(spec: WorkflowSpec) -> Surroundings:
        is_looking = example.store is not None or any(path != manifest_path for path in example.members)
        return Surroundings(
            models=_facts(spec, example) if is_looking else None,
            missing_in_manifest=parse_war_manifest(manifest.encode()).missing if manifest else {},
        )

    return check(Sources(spec=source, handler=handler), look=look, compat=compat)


def check_text(spec: str, handler: str | None = None, **options) -> Checked:
    return check_example(Example(spec=spec.encode(), handler=handler), **options)


def codes(checked: Checked) -> list[str]:
    return [diagnostic.code for diagnostic in checked.report]


def read_store(text: str) -> Mapping[str, str | None]:
    return {name: digest or None for name, _, digest in (line.partition(" ") for line in text.splitlines())}


def _facts(spec: WorkflowSpec, example: Example) -> Mapping[str, ModelFact]:
    """What a store room would say: every local url looked up by name; ``name -> place`` is a link out of it."""
    return {
        model.name: _fact(model.url, example) for model in spec.models.values() if model.url and "://" not in model.url
    }


def _fact(url: str, example: Example) -> ModelFact:
    store = example.store or {}
    found = {*store, *(path.partition("/")[0] for path in example.members)}
    where, content = f"models/{url}", store.get(url) or None
    if content is not None and content.startswith("-> "):
        return ModelFact(found=None, places=(where,), leads_out=where)
    return ModelFact(
        found=where if url in found else None, places=(where,), sha256=content, inside=_inside(example, url)
    )


def _inside(example: Example, archive: str) -> Inside | None:
    """Look into an archive that exists in words only; one without a manifest of its own gets what its files suggest."""
    members = {path.partition("/")[2]: text for path, text in example.members.items() if path.startswith(f"{archive}/")}
    keys = {"configFile": "model-config.yaml", "requirementsFile": "requirements.txt"}
    model = {key: name for key, name in keys.items() if name in members}
    members.setdefault("MAR-INF/MANIFEST.json", json.dumps({"model": model}))

    def read(name: str, limit: int) -> bytes | None:
        del limit
        return members[name].encode() if name in members else None

    found = inside_of(read, judges_requirements=True)
    return found and replace(found, gpus=0)


def one(checked: Checked, code: str) -> Diagnostic:
    (found,) = (diagnostic for diagnostic in checked.report if diagnostic.code == code)
    return found


def fixed(checked: Checked) -> str:
    """The spec after all safe edits, applied from the end so that places stay true."""
    edits = [edit for diagnostic in checked.report for edit in diagnostic.fix]
    text = edits[0].span.source.text
    for edit in sorted(edits, key=lambda edit: edit.span.start.offset, reverse=True):
        text = text[: edit.span.start.offset] + edit.replacement + text[edit.span.end.offset :]
    return text


def shown(checked: Checked, code: str) -> list[str]:
    """The words that the one finding of ``code`` points at, the main place first."""
    found = one(checked, code)
    spans = [found.span, *(label.span for label in found.secondary)]
    return [span.source.text[span.start.offset : span.end.offset] for span in spans if span is not None]


def spec_of(dag: str, *models: str, more: str = "") -> str:
    """A spec with these models and this dag, one edge list to a line."""
    entries = "".join(f"  {name}: {{url: {name}.mar}}\n" for name in models)
    lines = "".join(f"  {line.strip()}\n" for line in dag.strip().splitlines())
    return f"models:{'' if models else ' {}'}\n{entries}dag:\n{lines}{more}"
