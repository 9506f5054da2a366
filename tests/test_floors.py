"""The floors of the house and the doors of the third-party libraries, read from the imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "wfctl"

FLOORS = {
    "errors": -1,  # values that even F0 may raise
    "diagnostics": 0,
    "plain_file": 0,
    "file_lock": 0,
    "replace_file": 0,
    "nvml": 0,
    "workplace": 1,  # folders that are held by a lock
    "gpus": 1,  # asks nvml where the kernel's files do not say enough
    "spec": 1,
    "dag": 1,
    "handler_facts": 1,
    "none_guard": 0,  # reads syntax trees, and stands below the facts made of them
    "workflow": 2,
    "check": 3,
    "render": 3,
    "archive": 4,
    "store": 4,
    "plan": 4,
    "handlers": 4,
    "engine.call": 4,  # what a worker is asked and says: values below the engine itself
    "hosting": 4.5,  # stands on handlers and plan, below the engine's workers
    "cluster": 5.5,  # the same plan on Ray; stands on the engine for what its runs are like
    "compat": 5,  # judges archives with the checks below it; runs nothing
    "engine": 5,
    "service": 6,
    "bulk": 7,  # many inputs on one engine; stands on service
    "web": 7,  # the front end; stands on service
    "export": 7.5,  # what another system deploys, and what it imports then; stands on service, cluster and web
    "cli": 8,
    "__main__": 9,
    "__init__": 9,
}

# Library -> the rooms (prefixes of paths below wfctl/) that may import it.
DOORS = {
    # Read in one place, within budgets; written in another, which reads nothing.
    "yaml": ("spec/source", "export/yaml_text"),
    "jsonschema": ("spec/schema",),
    "referencing": ("spec/schema",),
    "click": ("cli/",),
    "rich": ("cli/",),
    "ray": ("cluster/",),
    "pyarrow": ("cluster/",),
    "torch": ("handlers/", "hosting/", "engine/wire/codec", "engine/worker/", "engine/local/server"),
    "numpy": ("handlers/", "hosting/", "engine/wire/codec", "engine/worker/"),
    "PIL": ("handlers/", "hosting/"),
    "torchvision": ("handlers/", "hosting/"),
    "onnxruntime": ("handlers/", "hosting/"),
    "captum": ("handlers/",),
    "packaging": ("archive/requirements",),
    "prometheus_client": ("web/watch/metrics",),
    "zipfile": ("archive/",),
    "tarfile": ("archive/",),
    "http": ("store/fetch", "web/wire/replies"),
    "urllib.request": (),
    "ssl": ("store/fetch", "web/server"),
    "multiprocessing": (),
}

ALLOWED = {
    "yaml",
    "jsonschema",
    "referencing",
    "click",
    "rich",
    "torch",
    "numpy",
    "PIL",
    "torchvision",
    "onnxruntime",
    "captum",
    "packaging",
    "prometheus_client",
    "ray",
    "pyarrow",
}


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}:{node.lineno}: relative import"
            yield node.module, node.lineno
            if node.module == "wfctl":
                yield from ((f"wfctl.{alias.name}", node.lineno) for alias in node.names)


FILES = sorted(path for path in ROOT.rglob("*.py"))


def _room(relative: Path) -> str:
    return relative.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_import_only_from_lower_floors(path: Path) -> None:
    room = _room(path.relative_to(ROOT))
    floor = FLOORS[room]
    for name, line in _imports(path):
        parts = name.split(".")
        if parts[0] != "wfctl" or len(parts) == 1 or parts[1] in {room, "__version__"}:
            continue
        assert FLOORS.get(".".join(parts[1:3]), FLOORS[parts[1]]) < floor, (
            f"{path.relative_to(ROOT)}:{line} imports {name}"
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_libraries_enter_only_by_their_doors(path: Path) -> None:
    relative = path.relative_to(ROOT).as_posix()
    import sys

    for name, line in _imports(path):
        top = name.split(".")[0]
        for library, rooms in DOORS.items():
            if name == library or name.startswith(library + "."):
                assert relative.startswith(rooms), f"{relative}:{line} imports {name}"
        known = top in sys.stdlib_module_names or top in ALLOWED or top in {"wfctl", "ts"}
        assert known, f"{relative}:{line} imports {name}, which is no declared dependency"


def test_every_room_stands_on_a_floor() -> None:
    rooms = {_room(path.relative_to(ROOT)) for path in FILES}
    assert rooms <= FLOORS.keys()


CAP_FILE, CAP_FUNCTION = 400, 50


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= CAP_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < CAP_FUNCTION, f"{path.name}:{node.lineno} {node.name}"


def test_there_is_no_room_for_odds_and_ends() -> None:
    assert not [path for path in FILES if path.stem in {"utils", "util", "helpers", "common", "misc"}]
