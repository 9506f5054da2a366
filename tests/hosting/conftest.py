from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakes.startup.sitecustomize  # noqa: F401 - lets torchvision be imported
import pytest
from hosted_nodes import plan_node

from wfctl.hosting.host import Host, load_host


@pytest.fixture(autouse=True)
def own_import_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test the import state of a fresh worker, and take back what it changed."""
    import sys

    modules, path, finders = dict(sys.modules), list(sys.path), list(sys.meta_path)
    yield
    for name in set(sys.modules) - set(modules):
        # Libraries and our own modules stay: torch cannot be imported twice, and a class of ours should be one class.
        place = getattr(sys.modules[name], "__file__", None) or ""
        top = name.partition(".")[0]
        if "site-packages" not in place and top != "wfctl" and top not in sys.stdlib_module_names:
            del sys.modules[name]
    sys.modules.update(modules)
    sys.path[:], sys.meta_path[:] = path, finders


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Host]:
    """Write a handler file and load it as a worker would."""

    def load(text: str, handler: str = "handler.py", *, file: str | None = None, **more: Any) -> Host:
        (tmp_path / (file or handler)).write_text(text, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path))
        return load_host(plan_node(tmp_path, handler, **more))

    return load
