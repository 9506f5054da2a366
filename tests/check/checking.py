"""Checks of whole workflows as the tests write them: bytes, a handler's text, and what a store holds."""

from collections.abc import Mapping

from wfctl.check.check import check
from wfctl.check.model import Checked, ModelFact, Sources, Surroundings
from wfctl.check.page import Example
from wfctl.diagnostics.model import Diagnostic, SourceText
from wfctl.diagnostics.report import Report
from wfctl.spec.parse import parse_spec
from wfctl.spec.text import read_spec_text


def check_example(example: Example, *, spec_name: str = "workflow.yaml", compat: bool = False) -> Checked:
    source = read_spec_text(example.spec, spec_name)
    if isinstance(source, Diagnostic):
        return Checked(spec=None, dag=None, handler=None, workflow=None, report=Report.of([source]))
    handler = None if example.handler is None else SourceText(example.handler_name, example.handler)
    surroundings = Surroundings(models=_facts(source, example.store))
    return check(Sources(spec=source, handler=handler), surroundings, compat=compat)


def check_text(spec: str, handler: str | None = None, **options) -> Checked:
    return check_example(Example(spec=spec.encode(), handler=handler), **options)


def codes(checked: Checked) -> list[str]:
    return [diagnostic.code for diagnostic in checked.report]


def read_store(text: str) -> Mapping[str, str | None]:
    return {name: digest or None for name, _, digest in (line.partition(" ") for line in text.splitlines())}


def _facts(source: SourceText, store: Mapping[str, str | None] | None) -> Mapping[str, ModelFact] | None:
    """What a store room would say: every local url looked up by name."""
    spec, _ = parse_spec(source)
    if store is None or spec is None:
        return None
    return {
        model.name: ModelFact(
            found=f"models/{model.url}" if model.url in store else None,
            places=(f"models/{model.url}",),
            sha256=store.get(model.url),
        )
        for model in spec.models.values()
        if model.url and "://" not in model.url
    }
