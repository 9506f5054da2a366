import ast
import subprocess
import sys
from pathlib import Path

import wfctl

ROOT = Path(wfctl.__file__).parent
ROOMS = ("handlers", "hosting", "engine/worker", "engine/wire")


def modules_after(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def imported_names(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_a_worker_has_loaded_all_of_the_standard_library_that_our_modules_ask_for_later():
    """Whoever this fails for imports one more of them: add it to ``wfctl/hosting/held.py``."""
    loaded = modules_after("import wfctl.engine.local.server")
    wanted = {
        name
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for name in imported_names(path)
        if name.partition(".")[0] in sys.stdlib_module_names
    }
    assert {name for name in wanted if name not in loaded} == set()


def test_the_yaml_reader_asks_for_nothing_that_is_not_loaded():
    loaded = modules_after("import wfctl.engine.local.server")
    later = modules_after("import wfctl.engine.local.server, wfctl.spec.source") - loaded
    assert {name for name in later if name.partition(".")[0] in sys.stdlib_module_names} == set()


def test_the_yaml_reader_is_loaded_early_only_where_its_name_is_taken(tmp_path):
    code = f"from wfctl.hosting.held import hold_late_libraries; hold_late_libraries('/', {str(tmp_path)!r})"
    assert "yaml" not in modules_after(code)
    (tmp_path / "yaml.py").touch()
    assert "yaml" in modules_after(code)
