"""What a file surely imports, and which names below ``ts`` are there."""

import pytest

from wfctl.compat.python_file import read_python
from wfctl.compat.ts_faults import faults_of
from wfctl.diagnostics.model import SourceText
from wfctl.hosting.ts_names import MADE, MODULES


def surely_imported(text: str) -> list[str]:
    file = read_python("handler.py", SourceText("handler.py", text))
    assert file.fault is None
    return [each.module for each in file.imports if each.is_sure]


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import a\nexcept ImportError:\n    a = None\n",
        "try:\n    import a\nexcept (ValueError, ModuleNotFoundError):\n    a = None\n",
        "try:\n    if x:\n        import a\nexcept:\n    pass\n",
        "from contextlib import suppress\nwith suppress(ImportError):\n    import a\n",
        "import typing\nif typing.TYPE_CHECKING:\n    import a\n",
        "import importlib.util\nif importlib.util.find_spec('a'):\n    import a\n",
        "from transformers.utils import is_a_available\nif is_a_available():\n    import a\n",
        "import torch\nif torch.cuda.is_available():\n    from a import b\n",
        "from . import a\n",
        "from .a import b\n",
    ],
)
def test_an_import_that_may_fail_or_never_runs_is_not_counted(text: str) -> None:
    assert "a" not in surely_imported(text)


@pytest.mark.parametrize(
    "text",
    [
        "import a\n",
        "import a as b\n",
        "from a import b\n",
        "def f():\n    import a\n",
        "try:\n    import a\nexcept ImportError:\n    raise RuntimeError('no a')\n",
        "try:\n    import a\nexcept ValueError:\n    pass\n",
        "try:\n    pass\nexcept ImportError:\n    import a\n",
        "try:\n    pass\nfinally:\n    import a\n",
        "import torch\nif torch.cuda.is_available():\n    pass\nelse:\n    import a\n",
        "if torch.__version__ > '2':\n    import a\n",
        "import typing\nif typing.TYPE_CHECKING:\n    pass\nelse:\n    import a\n",
        "import importlib\nimportlib.import_module('a')\n",
        "__import__('a')\n",
    ],
)
def test_an_import_that_must_not_fail_is_counted(text: str) -> None:
    assert "a" in surely_imported(text)


def test_every_name_of_the_tables_is_there() -> None:
    assert [fault for module in sorted(MODULES) for fault in faults_of(module, ())] == []
    assert [fault for module, names in MADE.items() for fault in faults_of(module, tuple(names))] == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("ts.torch_handler.base_handler", "BaseHandler"),
        ("ts.torch_handler", "base_handler"),
        ("ts.context", "Context"),
        ("ts.utils.util", "*"),
        ("tsfresh", "anything"),
    ],
)
def test_names_that_handlers_use_are_found(module: str, name: str) -> None:
    assert list(faults_of(module, (name,))) == []


@pytest.mark.parametrize(
    ("module", "name", "missing"),
    [
        ("ts.torch_handler.base_handler", "time_of_day", "ts.torch_handler.base_handler.time_of_day"),
        ("ts.torch_handler", "vllm_handler", "ts.torch_handler.vllm_handler"),
        ("ts.model_service", "anything", "ts.model_service"),
        ("ts", "anything", "ts.anything"),
    ],
)
def test_names_that_are_not_there_are_told_with_advice(module: str, name: str, missing: str) -> None:
    ((found, advice),) = faults_of(module, (name,))
    assert found == missing
    assert advice
