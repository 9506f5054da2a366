"""The handlers of ``tests/compat`` under the real TorchServe: its loader, its service, its own encoding of answers.

What it answers is what is written down in each fixture (``--update`` writes it), and what we answer is the same
except where a fixture says how and why not.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "compat"))

from fixtures import Fixture, all_fixtures, gather, pack  # noqa: E402
from forms import is_same  # noqa: E402

FIXTURES = all_fixtures()
TORCHSERVE = "torchserve==0.12.0"

DIFFERS_ON_THE_REAL_PACKAGE = {
    "imports_of_ts": "the context is ours, and no instance of the class in ts.context",
    "util_metrics": "the recorder is ours, and does not take the kinds of metrics of ts.metrics",
}
"""Fixtures that answer otherwise when our host runs them on the real package, with the reason."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="session")
def real_python(tmp_path_factory) -> Path:
    """Make an environment with the real wheel; torch and the like are those of this one."""
    environment = tmp_path_factory.mktemp("real") / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, TORCHSERVE, "psutil"], check=True, timeout=300)
    (packages,) = (environment / "lib").glob("python*/site-packages")
    shared = Path(torch.__file__).parent.parent
    (packages / "shared.pth").write_text(f"{shared}\n", encoding="utf-8")
    return python


def _served(python: Path, root: Path, folders: dict[str, Path]) -> dict[str, dict]:
    """Have the real worker answer the fixtures, each unpacked in a folder."""
    jobs = [
        {
            "name": each.name,
            "model_dir": str(folders[each.name]),
            "model_name": f"{each.name}__{each.node}",
            "handler": _handler_in(folders[each.name]) or each.handler,
            "envelope": each.told.get("envelope"),
            "batches": each.told["batches"],
            "out": str(root / f"{each.name}.json"),
        }
        for each in FIXTURES
        if each.name in folders
    ]
    (root / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    program = Path(__file__).parent / "real_worker.py"
    done = subprocess.run([python, program, root / "jobs.json"], capture_output=True, text=True, timeout=300, cwd=root)
    assert done.returncode == 0, done.stderr
    return {name: json.loads((root / f"{name}.json").read_text(encoding="utf-8")) for name in folders}


def _handler_in(folder: Path) -> str | None:
    """Return what the manifest of an unpacked archive names."""
    path = folder / "MAR-INF" / "MANIFEST.json"
    return json.loads(path.read_text(encoding="utf-8"))["model"]["handler"] if path.is_file() else None


@pytest.fixture(scope="session")
def served(real_python, is_updating, tmp_path_factory) -> dict[str, dict]:
    root = tmp_path_factory.mktemp("served")
    folders = {}
    for each in FIXTURES:
        folders[each.name] = root / "in" / each.name
        if each.function:
            gather(each, folders[each.name])
            continue
        mar = pack(each, root / f"{each.name}.mar", staging=root / "staging")
        with zipfile.ZipFile(mar) as archive:
            archive.extractall(folders[each.name])
    found = _served(real_python, root, folders)
    if is_updating:
        for each in FIXTURES:
            text = json.dumps(found[each.name], indent=1, ensure_ascii=False) + "\n"
            (each.folder / "expected.json").write_text(text, encoding="utf-8")
    return found


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda each: each.name)
def test_the_real_worker_answers_as_written_down(fixture: Fixture, served):
    assert is_same(served[fixture.name], fixture.expected), json.dumps(served[fixture.name], indent=1)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda each: each.name)
def test_our_answers_are_its_answers_except_where_said(fixture: Fixture, served):
    assert is_same(served[fixture.name], fixture.ours) is (fixture.differs is None)


def _can_be_packed_by_the_original(each: Fixture) -> bool:
    # Of the built-in handlers the archiver does not know this one.
    is_plain = not each.function and "manifest" not in each.told and each.handler != "densenet_handler"
    return is_plain and not any(path.is_dir() and path.name != "__pycache__" for path in each.folder.iterdir())


@pytest.fixture(scope="session")
def originals(tmp_path_factory) -> dict[str, Path]:
    """Pack what it can by the archiver of the original; fixture -> archive."""
    return _packed_all(tmp_path_factory.mktemp("originals"), "torch-model-archiver")


@pytest.fixture(scope="session")
def ours(tmp_path_factory) -> dict[str, Path]:
    """Pack the same by our own command."""
    return _packed_all(tmp_path_factory.mktemp("ours"), "wfctl", "archive-model")


def _packed_all(root: Path, *tool: str) -> dict[str, Path]:
    return {each.name: _packed_by(each, root, *tool) for each in FIXTURES if _can_be_packed_by_the_original(each)}


@pytest.mark.parametrize("archiver", ["originals", "ours"])
def test_archives_answer_the_same_whoever_packed_them(archiver, real_python, served, request, tmp_path):
    archives = request.getfixturevalue(archiver)
    assert len(archives) > len(FIXTURES) // 2
    folders = {name: tmp_path / "in" / name for name in archives}
    for name, mar in archives.items():
        with zipfile.ZipFile(mar) as archive:
            archive.extractall(folders[name])
    found = _served(real_python, tmp_path, folders)
    assert not [name for name, told in found.items() if not is_same(told, served[name])]


def _hosted(root: Path, archives: dict[str, Path], python: str | Path, *words: str) -> list[str]:
    """Have our host answer archives, and return the names of those whose answers are not as written down."""
    chosen = [each for each in FIXTURES if each.name in archives and not each.differs]
    jobs = []
    for each in chosen:
        folder = root / each.name
        folder.mkdir()
        spec = folder / "workflow.yaml"
        spec.write_text(f"models:\n  batch-size: 4\n  model: {{url: {each.name}.mar}}\ndag:\n  model: []\n")
        shutil.copyfile(archives[each.name], folder / f"{each.name}.mar")
        told = {"envelope": each.told.get("envelope"), "batches": each.told["batches"]}
        jobs.append(told | {"name": each.name, "spec": str(spec), "out": str(folder / "out.json")})
    (root / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    command = [python, ROOT / "tests" / "compat" / "hosted.py", root / "jobs.json", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment)
    assert done.returncode == 0, done.stderr
    found = {each.name: json.loads((root / each.name / "out.json").read_text(encoding="utf-8")) for each in chosen}
    return [each.name for each in chosen if not is_same(found[each.name], each.expected)]


def test_archives_of_the_original_archiver_answer_the_same_with_us(originals, tmp_path):
    assert not _hosted(tmp_path, originals, sys.executable)


def test_our_host_answers_the_same_when_handlers_find_the_real_package(real_python, originals, tmp_path):
    assert sorted(_hosted(tmp_path, originals, real_python, "real")) == sorted(DIFFERS_ON_THE_REAL_PACKAGE)


def _packed_by(each: Fixture, root: Path, program: str, *command: str) -> Path:
    files = gather(each, root / "files" / each.name)
    model = each.manifest["model"]
    handler = str(model["handler"])
    module, colon, function = handler.rpartition("/")[2].partition(":")
    file = files / f"{module.removesuffix('.py')}.py"
    words = ["--model-name", each.name, "--version", "1.0", "--export-path", str(root)]
    if file.is_file():  # a function is taken only behind a name without its suffix
        handler = f"{file.with_suffix('')}:{function}" if colon else str(file)
    words += ["--handler", handler]
    named = {file.name}
    for key, option in (
        ("serializedFile", "--serialized-file"),
        ("modelFile", "--model-file"),
        ("configFile", "--config-file"),
        ("requirementsFile", "--requirements-file"),
    ):
        if key in model:
            words += [option, str(files / model[key])]
            named.add(model[key])
    others = [str(path) for path in sorted(files.iterdir()) if path.name not in named]
    if others:
        words += ["--extra-files", ",".join(others)]
    staging = root / "tmp"
    staging.mkdir(exist_ok=True)
    tool = [Path(sys.executable).parent / program, *command]
    subprocess.run([*tool, *words], check=True, capture_output=True, timeout=60, env={"TMPDIR": str(staging)})
    shutil.rmtree(files)
    return root / f"{each.name}.mar"
