"""The wheel, built and installed in a fresh environment, holds what the editable install holds."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment with the wheel and its light dependencies.

    torch is left out on purpose: everything below must work without it.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True, timeout=120)
    (wheel,) = folder.glob("wfctl-*.whl")
    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*install, "click", "pyyaml", "rich", "jsonschema"], check=True, timeout=120)
    subprocess.run([*install, "--no-deps", wheel], check=True, timeout=60)
    return environment / "bin"


def test_schemas_and_pages_travel_in_the_wheel(fresh: Path, tmp_path: Path) -> None:
    spec = tmp_path / "workflow.yaml"
    spec.write_text("dag:\n  a: [a]\n")
    (tmp_path / "handler.py").write_text("def a(data, context):\n    return data\n")
    done = subprocess.run(
        [fresh / "wfctl", "validate", "--output-format", "json", spec], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stderr
    (workflow,) = json.loads(done.stdout)["workflows"]
    assert "WF302" in {finding["code"] for finding in workflow["diagnostics"]}
    page = subprocess.run([fresh / "wfctl", "rule", "WF302"], capture_output=True, text=True, timeout=60)
    assert page.returncode == 0
    assert "self-loop" in page.stdout


def test_schemas_in_the_wheel_are_the_published_ones(fresh: Path) -> None:
    code = "import wfctl, pathlib; print(pathlib.Path(wfctl.__file__).parent / 'schemas')"
    found = subprocess.run([fresh / "python", "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    installed = Path(found.stdout.strip())
    published = {path.name: path.read_bytes() for path in (ROOT / "schemas").glob("*.json")}
    assert published
    assert {path.name: path.read_bytes() for path in installed.glob("*.json")} == published


def test_types_pages_and_templates_travel_in_the_wheel(fresh: Path) -> None:
    code = "import wfctl, pathlib; print(pathlib.Path(wfctl.__file__).parent)"
    found = subprocess.run([fresh / "python", "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    installed = Path(found.stdout.strip())
    wanted = {path.relative_to(ROOT / "wfctl") for path in (ROOT / "wfctl").rglob("*") if _is_shipped(path)}
    assert {Path("py.typed"), Path("check/pages/WF301.md")} < wanted
    assert {path for path in wanted if not (installed / path).is_file()} == set()


def _is_shipped(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".mar"


def test_the_wheel_says_its_version(fresh: Path) -> None:
    done = subprocess.run([fresh / "wfctl", "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("wfctl ")
