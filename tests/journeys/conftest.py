"""The real command line on real folders."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

WFCTL = Path(sys.executable).parent / "wfctl"


@pytest.fixture
def flow(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a workflow folder."""

    def write(spec: str, handler: str, name: str = "flow") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "workflow.yaml").write_text(dedent(spec), encoding="utf-8")
        (folder / "handler.py").write_text(dedent(handler), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def wfctl(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Return a function that runs the installed command and gives its bytes and exit code."""

    def run(*words: object, stdin: bytes = b"", cwd: Path = tmp_path) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
        argv = [str(WFCTL), *map(str, words)]
        return subprocess.run(argv, input=stdin, capture_output=True, cwd=cwd, timeout=90, env=environment)

    return run
