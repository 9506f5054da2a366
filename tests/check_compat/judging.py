"""Examples as archives on the disk, packed as the original packs them, and what is judged of them."""

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from wfctl.check.page import Example
from wfctl.compat.judge import judge
from wfctl.compat.model import Judged, Stores
from wfctl.diagnostics.model import SourceText
from wfctl.spec.parse import parse_spec

NOOP = "def handle(data, context):\n    return data\n"
TORCH_ONLY = frozenset({"torch", "numpy"})


def judged(path: Path, *, libraries: Iterable[str] = TORCH_ONLY, model_store: Path | None = None) -> Judged:
    """Judge as in an environment that has only these libraries."""
    there = frozenset(libraries)
    return judge(path, Stores(model_store=model_store), lambda library: library in there)


def codes(found: Judged) -> list[str]:
    return [row.finding.code for row in found.rows]


def pack(path: Path, members: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def pack_model(path: Path, members: Mapping[str, str | bytes], *, runtime: str = "python", **model: str | None) -> Path:
    """Pack a model; keys of its manifest are those of ``model``, and ``None`` leaves one out."""
    keys = {"modelName": path.name.partition(".")[0], "handler": "handler.py", "modelVersion": "1.0", **model}
    given = {key: value for key, value in keys.items() if value is not None}
    manifest = {"createdOn": "01/02/2023 10:11:12", "runtime": runtime, "model": given, "archiverVersion": "0.12.0"}
    return pack(path, {**members, "MAR-INF/MANIFEST.json": json.dumps(manifest)})


def pack_workflow(path: Path, spec: str | bytes, handler: str | None = None, **more: str | bytes) -> Path:
    """Pack a workflow; ``more`` are further members by name."""
    manifest = {
        "createdOn": "01/02/2023 10:11:12",
        "archiverVersion": "0.2.15",
        "workflow": {"workflowName": path.stem, "specFile": "workflow.yaml", "handler": handler and "handler.py"},
    }
    members = {"workflow.yaml": spec, **({"handler.py": handler} if handler else {}), **more}
    return pack(path, {**members, "WAR-INF/MANIFEST.json": json.dumps(manifest)})


def pack_example(example: Example, folder: Path) -> Path:
    """Write the archives of an example; a model that it says nothing about does nothing, and an empty file is none."""
    spec, _ = parse_spec(SourceText("workflow.yaml", example.spec.decode()))
    assert spec is not None
    for model in spec.models.values():
        if model.url and "://" not in model.url:
            start = f"{model.url}/"
            own = {name.removeprefix(start): text for name, text in example.members.items() if name.startswith(start)}
            manifest = json.dumps({"model": {"modelName": model.name, "handler": "handler.py"}})
            members = {"MAR-INF/MANIFEST.json": manifest, **(own or {"handler.py": NOOP})}
            (folder / model.url).parent.mkdir(parents=True, exist_ok=True)
            pack(folder / model.url, {name: text for name, text in members.items() if text.strip()})
    return pack_workflow(folder / "example.war", example.spec, example.handler)
