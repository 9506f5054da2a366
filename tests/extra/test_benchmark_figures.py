"""Every benchmark runs and prints its figures; what they are is not looked at here."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)  # a Ray takes its time to start, and some benchmarks start several
@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_prints_its_figures(name):
    argv = [sys.executable, "-m", "benchmarks", "--trial", name]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"## {name}\n")
    assert "promised: " in done.stdout or "us per call with" in done.stdout
