"""Which files of an archive count: those that its handler loads, wherever in the archive they lie."""

from pathlib import Path

import pytest
from judging import NOOP, codes, judged, pack_model

MISSING = "import nobody_has_this\n"


@pytest.mark.parametrize(
    ("handler", "member"),
    [
        ("from steps import run\n", "steps.py"),
        ("import steps.run\n", "steps/run.py"),
        ("import steps.run\n", "steps/__init__.py"),
        ("from steps import run\n", "steps/run.py"),
        ("import sys\nsys.path.append('src')\nimport steps\n", "src/steps.py"),
        ("def handle_later():\n    import steps\n", "steps.py"),
        ("try:\n    import steps\nexcept ImportError:\n    steps = None\n", "steps.py"),
    ],
)
def test_what_the_handler_imports_is_read(tmp_path: Path, handler: str, member: str) -> None:
    archive = pack_model(tmp_path / "m1.mar", {"handler.py": handler + NOOP, member: MISSING})
    assert codes(judged(archive)) == ["WF939"]


def test_imports_inside_a_package_are_followed(tmp_path: Path) -> None:
    files = {
        "serving/entry.py": f"from .steps import run\nfrom . import more\n{NOOP}",
        "serving/steps.py": "from ..top import x\nimport one_missing\n",
        "serving/more.py": "import two_missing\n",
    }
    found = judged(pack_model(tmp_path / "m1.mar", files, handler="serving.entry:handle"))
    assert [row.finding.message.split('"')[1] for row in found.rows] == ["two_missing", "one_missing"]


def test_a_file_that_nothing_loads_is_no_difference(tmp_path: Path) -> None:
    train = "import deepspeed\nimport ts.model_loader\nimport wandb\nopen('log', 'w')\n"
    assert judged(pack_model(tmp_path / "m1.mar", {"handler.py": NOOP, "train.py": train})).rows == ()


@pytest.mark.parametrize(
    "handler",
    [
        "import importlib\ndef load(name):\n    return importlib.import_module(name)\n",
        "from ts.handler_utils.utils import import_class\ndef load(name):\n    return import_class(name)\n",
        "import importlib.util\nspec = importlib.util.spec_from_file_location('x', 'plugin.py')\n",
    ],
)
def test_where_names_are_computed_every_file_counts(tmp_path: Path, handler: str) -> None:
    archive = pack_model(tmp_path / "m1.mar", {"handler.py": handler + NOOP, "plugin.py": MISSING})
    assert codes(judged(archive)) == ["WF939"]


@pytest.mark.parametrize("member", ["vendored/lib.py", "src/vendored.py", "vendored.cpython-311-x86_64-linux-gnu.so"])
def test_what_the_archive_brings_need_not_be_installed(tmp_path: Path, member: str) -> None:
    archive = pack_model(tmp_path / "m1.mar", {"handler.py": f"import vendored\n{NOOP}", member: ""})
    assert judged(archive).rows == ()
