"""A model on its own, judged as the only node of a workflow.

Invariant: as in ``judge``.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from wfctl.archive.inside import look_through
from wfctl.check.check import check
from wfctl.check.model import Sources, Surroundings
from wfctl.check.names import is_usable
from wfctl.compat.manifests import about_manifest
from wfctl.compat.merge import merged
from wfctl.compat.model import HasLibrary, Judged, ModelCode, Row
from wfctl.compat.read_model import read_model
from wfctl.compat.rules import about_code
from wfctl.compat.spec_rows import rows_of
from wfctl.diagnostics.model import Severity, SourceText
from wfctl.spec.model import WorkflowSpec
from wfctl.store.find import Places, facts_for


def judge_model(path: Path, has_library: HasLibrary) -> Judged:
    """Judge a model's archive."""
    model = read_model(path, "", None)
    name = model.manifest.model_name if model.manifest else None
    rows = list(_by_check(path, name))
    return Judged(path=str(path), name=name, rows=merged([*rows, *rows_about(model, rows, has_library)]))


def rows_about(model: ModelCode, known: list[Row], has_library: HasLibrary) -> Iterator[Row]:
    """Yield all rows about a model; what a check refused already is not refused once more."""
    is_refused = any(row.finding.severity is Severity.ERROR for row in known)
    for row in about_manifest(model, has_library):
        if not (is_refused and row.finding.severity is Severity.ERROR):
            yield row
    yield from about_code(model.code, has_library, model.requirements)


def _by_check(path: Path, name: str | None) -> Iterator[Row]:
    """Yield what a check finds in a workflow of this model alone; that workflow has no text of the user's."""
    whole = path.resolve()
    node = name if name is not None and is_usable(name) else "model"
    # Not as ASCII: YAML does not join the two halves by which JSON writes a character beyond 65,535.
    spec = json.dumps({"models": {node: {"url": whole.name}}, "dag": {node: []}}, ensure_ascii=False)

    def look(parsed: WorkflowSpec) -> Surroundings:
        """Look for the model where it is."""
        return Surroundings(models=facts_for(parsed.models, Places(beside=whole.parent), look_inside=look_through))

    report = check(Sources(spec=SourceText("", spec)), look=look, compat=True).report
    yield from (replace(row, finding=replace(row.finding, span=None)) for row in rows_of(report))
