"""The real command line, started the way a shell starts it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from started import Cli, Outcome

# What the surroundings of the tests must not lend to a command.
_NOT_LENT = {"NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS", "WFCTL_MODEL_STORE", "WFCTL_WORKFLOW_STORE", "COLUMNS"}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run ``wfctl`` in a fresh process, by default in the test's own folder."""

    def run(
        *words: str | Path,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
    ) -> Outcome:
        lent = {name: value for name, value in os.environ.items() if name not in _NOT_LENT}
        done = subprocess.run(
            [sys.executable, "-m", "wfctl", *map(str, words)],
            input=stdin,
            capture_output=True,
            env={**lent, **(env or {})},
            cwd=cwd or tmp_path,
            timeout=timeout,
            check=False,
        )
        out = done.stdout.decode("utf-8", "surrogateescape")
        return Outcome(code=done.returncode, out=out, err=done.stderr.decode("utf-8", "surrogateescape"))

    return run
