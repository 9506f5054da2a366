"""Small workflows written to disk."""

from pathlib import Path
from textwrap import dedent

import pytest


@pytest.fixture
def workflow(tmp_path: Path):
    """Return a function that writes a folder with a spec and a handler."""

    def write(spec: str, handler: str, name: str = "flow") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "workflow.yaml").write_text(dedent(spec), encoding="utf-8")
        (folder / "handler.py").write_text(dedent(handler), encoding="utf-8")
        return folder

    return write
