"""Every command that the README shows is run, in the order of the text, in a fresh copy of what it names."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

# A command block is fenced as ``sh`` or ``python``; one that sets up a machine stands as ``text`` or indented.
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds the samples, as a reader's checkout does."""
    folder = tmp_path_factory.mktemp("readme")
    left_out = shutil.ignore_patterns("*.mar", "*.war", "__pycache__")
    shutil.copytree(ROOT / "samples", folder / "samples", ignore=left_out)
    return folder


def test_the_readme_shows_the_two_commands() -> None:
    assert "make demo" in README
    assert "make test" in README


@pytest.mark.timeout(300)
def test_every_block_of_the_readme_runs(desk: Path) -> None:
    # What needs Ray is run where Ray is: in tests/extra/on_ray.
    blocks = [(language, text) for language, text in BLOCK.findall(README) if "--engine ray" not in text]
    assert len(blocks) >= 8
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    for language, text in blocks:
        argv = ["sh", "-eu", "-c", text] if language == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(argv, cwd=desk, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_every_command_is_in_the_readme() -> None:
    from wfctl.cli.main import COMMANDS

    missing = [name for name in COMMANDS if f"wfctl {name}" not in README]
    assert not missing


def test_the_number_of_codes_is_the_number_of_rules() -> None:
    from wfctl.diagnostics.catalog import RULES

    assert f"There are {len(RULES)} codes," in README


def test_the_table_of_check_compat_in_the_readme_is_what_the_command_prints(desk: Path) -> None:
    (shown,) = re.findall(r"^```text\n(vote\.war: .*?)^```$", README, re.MULTILINE | re.DOTALL)
    (words,) = re.findall(r"^(wfctl check-compat [^#\n]*)", README, re.MULTILINE)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    packed = "python samples/digits/build.py && " + next(
        line
        for _, text in BLOCK.findall(README)
        for line in text.splitlines()
        if line.startswith("wfctl archive --workflow-name")
    )
    done = subprocess.run(
        ["sh", "-euc", f"({packed}) >&2\n{words}"],
        cwd=desk,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == shown.strip(), done.stderr


def test_the_finding_in_the_readme_is_what_the_command_prints(tmp_path: Path) -> None:
    (shown,) = re.findall(r"^```text\n(error\[.*?)^```$", README, re.MULTILINE | re.DOTALL)
    spec = (
        "models:\n  m1:\n    url: m1.mar\n  m2:\n    url: m2.mar\ndag:\n"
        "  pre_processing: [m1, m2]\n  m2: [postprocessing]\n  m1: [postprocesing]\n"
    )
    (tmp_path / "workflow.yaml").write_text(spec)
    (tmp_path / "handler.py").write_text(
        "def pre_processing(data, context):\n    return data\n\ndef postprocessing(data, context):\n    return data\n"
    )
    argv = [Path(sys.executable).parent / "wfctl", "validate", "--select", "WF304"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == shown.strip()
