"""Archives as TorchServe's users make them, in one line each."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

IDENTITY = """
class Identity:
    def initialize(self, context):
        self.context = context

    def handle(self, data, context):
        return [row["data"] if "data" in row else row.get("body") for row in data]
"""
"""The handler of a model that answers what it gets."""


def write_mar(path: Path, handler: str = IDENTITY, *, version: str = "1.0", config: str | None = None) -> Path:
    """Write the archive of a model without weights."""
    model = {"modelName": path.stem, "modelVersion": version, "handler": "handler.py"}
    files = {"handler.py": handler}
    if config is not None:
        model["configFile"] = "model-config.yaml"
        files["model-config.yaml"] = config
    manifest = {"createdOn": "01/01/2024", "archiverVersion": "0.12.0", "runtime": "python", "model": model}
    return write_zip(path, {**files, "MAR-INF/MANIFEST.json": json.dumps(manifest)})


def write_war(path: Path, spec: str, handler: str = "", **more: str) -> Path:
    """Write the archive of a workflow whose name is that of the file."""
    workflow = {"workflowName": path.stem, "specFile": "spec.yaml", "handler": "handler.py"}
    manifest = {"createdOn": "01/01/2024", "archiverVersion": "0.2.15", "workflow": workflow}
    files = {"spec.yaml": spec, "handler.py": handler, **more}
    return write_zip(path, {**files, "WAR-INF/MANIFEST.json": json.dumps(manifest)})


def write_zip(path: Path, files: Mapping[str, str]) -> Path:
    """Write a zip of these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path
