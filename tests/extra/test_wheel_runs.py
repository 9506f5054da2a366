"""The wheel in a fresh environment with torch runs the digits sample: what a user gets from an index."""

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.timeout(900)


def test_an_installed_wheel_packs_and_runs_the_sample(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True, timeout=120)
    (wheel,) = tmp_path.glob("wfctl-*.whl")
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*install, "-c", ROOT / "constraints.txt", wheel], check=True, timeout=600)
    sample = tmp_path / "digits"
    shutil.copytree(ROOT / "samples" / "digits", sample, ignore=shutil.ignore_patterns("*.mar", "*.war"))
    subprocess.run([python, sample / "build.py"], check=True, timeout=60, cwd=tmp_path)
    done = subprocess.run(
        [environment / "bin" / "wfctl", "run", "input.json"], cwd=sample, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digit"] == 7
