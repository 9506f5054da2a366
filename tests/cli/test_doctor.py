"""``wfctl doctor``: what it says is true."""

import json
import platform
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from started import Cli

from wfctl.cli import examinations
from wfctl.cli.examinations import State, Symptom, examine_machine


def named(name: str) -> Symptom:
    return next(symptom for symptom in examine_machine() if symptom.name == name)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the examinations that take seconds."""
    slow = {examinations._torch, examinations._optional}
    rest = tuple(each for each in examinations._EXAMINATIONS if each not in slow)
    monkeypatch.setattr(examinations, "_EXAMINATIONS", rest)


def test_this_machine_can_run_workflows(cli: Cli) -> None:
    done = cli("doctor", "--json", timeout=110)
    report = json.loads(done.out)
    assert report["ready"]
    assert done.code == 0
    found = {check["name"]: check for check in report["checks"]}
    assert found["python"]["found"].startswith(platform.python_version())
    assert found["torch"]["state"] == "ok"
    assert all(check["remedy"] for check in found.values() if check["state"] != "ok")


@pytest.mark.parametrize(
    ("found", "gpus", "state", "shown"),
    [
        ("2.13.0+cpu, CPU only", 0, State.OK, "2.13.0+cpu, CPU only"),
        ("2.13.0, NVIDIA H100", 1, State.OK, "2.13.0, NVIDIA H100"),
        ("2.13.0+cpu, CPU only", 1, State.DOUBTFUL, "2.13.0+cpu, CPU only, though a GPU is here"),
        ("2.13.0, CPU only", 4, State.DOUBTFUL, "2.13.0, CPU only, though 4 GPUs are here"),
    ],
)
def test_a_torch_that_does_not_see_the_gpus_is_doubtful(found: str, gpus: int, state: State, shown: str) -> None:
    symptom = examinations._fit_of_torch(found, gpus)
    assert (symptom.state, symptom.found) == (state, shown)
    assert (symptom.remedy is None) == (state is State.OK)


def test_what_is_missing_fails_and_says_how_to_mend_it(cli: Cli, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    (broken / "torch").mkdir(parents=True)
    (broken / "torch/__init__.py").write_text("raise ImportError('libgpu.so: not found \\x1b[31m')\n", encoding="utf-8")
    done = cli("doctor", env={"PYTHONPATH": str(broken)})
    assert done.code == 1
    line = next(line for line in done.out.splitlines() if line.startswith("missing"))
    assert "torch" in line
    assert "libgpu.so: not found" in line
    assert "pip install" in done.out
    assert "\x1b" not in done.out


def test_an_optional_library_that_cannot_be_imported_is_no_library(cli: Cli, tmp_path: Path) -> None:
    for name, text in {"torchvision": "raise RuntimeError('operator nms does not exist')", "onnxruntime": ""}.items():
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").write_text(text, encoding="utf-8")
    done = cli("doctor", "--json", env={"PYTHONPATH": str(tmp_path / "site")})
    found = {check["name"]: check for check in json.loads(done.out)["checks"]}
    assert (found["torchvision"]["state"], found["onnxruntime"]["state"]) == ("optional", "ok")
    assert "cannot be imported: RuntimeError: operator nms does not exist" in found["torchvision"]["found"]
    assert "belongs to the torch that is here" in found["torchvision"]["remedy"]


@pytest.fixture
def taken_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(examinations, "_PORTS", {port: "inference"})
        yield port


@pytest.mark.usefixtures("quick")
def test_a_taken_port_is_doubtful(taken_port: int) -> None:
    symptom = named(f"port {taken_port}")
    assert (symptom.state, symptom.found) == (State.DOUBTFUL, "inference: in use")


@pytest.mark.usefixtures("quick")
def test_a_temporary_folder_that_cannot_be_written_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    symptom = named("temporary space")
    assert symptom.state is State.MISSING
    assert "TMPDIR" in (symptom.remedy or "")


@pytest.mark.usefixtures("quick")
def test_low_limits_are_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    symptom = named("open files")
    assert (symptom.state, symptom.found) == (State.DOUBTFUL, "64, less than 1024")
    assert "ulimit" in (symptom.remedy or "")
    assert named("processes allowed").state is State.DOUBTFUL


@pytest.mark.usefixtures("quick")
def test_no_limit_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(examinations, "_cgroup_processes", lambda: -1)
    assert named("processes allowed").found == "unlimited"


@pytest.mark.usefixtures("quick")
def test_a_system_without_fork_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.delattr(os, "fork")
    symptom = named("processes")
    assert (symptom.state, symptom.found) == (State.MISSING, "no fork")


@pytest.mark.usefixtures("quick")
def test_examining_imports_nothing_heavy() -> None:
    before = "torch" in sys.modules
    assert examine_machine()
    assert ("torch" in sys.modules) == before
