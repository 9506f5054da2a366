"""What a fresh process does not import: the command line answers before you blink, and a worker stays small."""

import subprocess
import sys
from pathlib import Path

import pytest

SPEC = """\
models:
  m1: {url: m1.mar, batch_size: 4}
dag:
  pre: [m1]
  m1: [post, nowhere]
"""
HANDLER = "def pre(data, context):\n    return data\n\n\ndef post(data, context):\n    return data\n"


def imported_by(program: str, cwd: Path) -> set[str]:
    """Run a program and return the modules that it left loaded."""
    report = f"import sys, atexit; atexit.register(lambda: print('\\n' + ' '.join(sys.modules), file=sys.__stderr__)); {program}"
    done = subprocess.run([sys.executable, "-c", report], cwd=cwd, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def wfctl(*words: str) -> str:
    return f"sys.argv = ['wfctl', *{list(words)!r}]; from wfctl.cli.main import main; main()"


def loaded(modules: set[str], *names: str) -> set[str]:
    return {module for module in modules for name in names if module == name or module.startswith(f"{name}.")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workflow.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "handler.py").write_text(HANDLER, encoding="utf-8")
    (tmp_path / "m1.mar").touch()
    return tmp_path


def test_validate_leaves_the_heavy_libraries_out(folder: Path) -> None:
    modules = imported_by(wfctl("validate"), folder)
    assert loaded(modules, "wfctl.check", "wfctl.cli.reporters.full", "yaml")
    assert not loaded(modules, "torch", "numpy", "rich", "asyncio", "multiprocessing", "ssl", "http")
    assert not loaded(modules, "wfctl.engine", "wfctl.service", "wfctl.hosting", "wfctl.render")


def test_check_compat_leaves_the_heavy_libraries_out(folder: Path) -> None:
    (folder / "handler.py").write_text(f"import torch\nimport rich\n{HANDLER}", encoding="utf-8")
    (folder / "m1.mar").unlink()
    (folder / "m1.mar" / "MAR-INF").mkdir(parents=True)
    (folder / "m1.mar" / "MAR-INF" / "MANIFEST.json").write_text('{"model": {"handler": "image_classifier"}}')
    modules = imported_by(wfctl("check-compat", "."), folder)
    assert loaded(modules, "wfctl.compat")
    assert not loaded(
        modules, "torch", "torchvision", "PIL", "numpy", "rich", "asyncio", "multiprocessing", "jsonschema"
    )
    assert not loaded(
        modules, "wfctl.engine", "wfctl.service", "wfctl.handlers.base_handler", "wfctl.render", "handler"
    )


def test_validate_of_a_spec_leaves_the_schema_library_and_the_archive_readers_out(folder: Path) -> None:
    modules = imported_by(wfctl("validate"), folder)
    assert not loaded(modules, "jsonschema", "referencing", "zipfile", "tarfile", "hashlib")


def test_validate_of_archives_at_hand_reads_their_tables_and_nothing_heavy(folder: Path) -> None:
    from wfctl.archive.mar import write_mar

    (folder / "config.yaml").write_text("minWorkers: 1\nmaxWorkers: 1\n")
    (folder / "requirements.txt").write_text("click\n")
    write_mar(
        folder / "m1.mar",
        model_name="m1",
        handler=folder / "handler.py",
        config_file=folder / "config.yaml",
        requirements_file=folder / "requirements.txt",
        overwrite=True,
    )
    modules = imported_by(wfctl("validate"), folder)
    assert loaded(modules, "wfctl.archive.zip_reader")
    assert not loaded(modules, "torch", "zipfile", "tarfile", "hashlib", "packaging", "importlib.metadata", "email")


def test_validate_never_imports_the_handler(folder: Path) -> None:
    (folder / "handler.py").write_text(HANDLER + "raise SystemExit('imported')\n", encoding="utf-8")
    assert not loaded(imported_by(wfctl("validate"), folder), "handler")


@pytest.mark.parametrize("words", [("--help",), ("--version",)])
def test_help_and_version_import_no_command(tmp_path: Path, words: tuple[str, ...]) -> None:
    modules = imported_by(wfctl(*words), tmp_path)
    assert not loaded(modules, "yaml", "jsonschema", "rich", "torch", "wfctl.check", "wfctl.spec", "wfctl.diagnostics")
    ours = {module for module in modules if module.startswith("wfctl.cli.")}
    assert ours == {f"wfctl.cli.{name}" for name in ("main", "console", "exits", "options", "printable")}


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "validate",
        "check-compat",
        "render",
        "archive",
        "archive-model",
        "inspect",
        "export",
        "new",
        "rule",
        "doctor",
    ],
)
def test_the_help_of_a_command_imports_no_torch(tmp_path: Path, command: str) -> None:
    assert not loaded(imported_by(wfctl(command, "--help"), tmp_path), "torch", "rich", "numpy", "asyncio")


def test_the_package_alone_imports_nothing(tmp_path: Path) -> None:
    modules = imported_by("import wfctl", tmp_path)
    assert loaded(modules, "wfctl") == {"wfctl"}


@pytest.mark.parametrize(
    "module", ["wfctl.engine.worker.start", "wfctl.engine.worker.loop", "wfctl.engine.local.server"]
)
def test_a_worker_imports_no_shell_and_no_server(tmp_path: Path, module: str) -> None:
    modules = imported_by(f"import {module}", tmp_path)
    assert not loaded(modules, "click", "rich", "jsonschema", "yaml", "asyncio", "multiprocessing")
    assert not loaded(modules, "wfctl.web", "wfctl.service", "wfctl.cli", "wfctl.check", "wfctl.spec.parse")
    # What `importlib.abc` brings with it is more than all of our finders.
    assert not loaded(modules, "torch", "importlib.abc", "importlib.resources")


def test_a_run_of_what_is_on_this_machine_does_without_http(folder: Path) -> None:
    (folder / "workflow.yaml").write_text("dag:\n  pre: [post]\n  post: []\n", encoding="utf-8")
    (folder / "input.json").write_text("[1]", encoding="utf-8")
    modules = imported_by(wfctl("run", "input.json"), folder)
    assert loaded(modules, "wfctl.service.origins")
    assert not loaded(modules, "http", "email", "wfctl.store.fetch")
