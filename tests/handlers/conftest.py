"""Handlers as they are made by hand: a folder for the archive, and the context that a worker would give."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakes.startup.sitecustomize  # noqa: F401 - lets torchvision be imported
import pytest
from noted_times import NotedTimes

from wfctl.handlers.context import Context


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., Context]:
    """Return a function that makes the context of an archive unpacked in ``tmp_path``."""

    def make(*, gpu_id: int | None = None, pt2: Any = None, is_trusted: bool = True, **names: str) -> Context:
        made = Context(
            model_name="flow__m",
            model_dir=str(tmp_path),
            manifest={"model": {"modelName": "m", **names}},
            batch_size=1,
            gpu_id=gpu_id,
            model_yaml_config={} if pt2 is None else {"pt2": pt2},
            is_trusted=is_trusted,
        )
        made.metrics = NotedTimes()
        return made

    return make


@pytest.fixture
def batch() -> Callable[..., Any]:
    """Return a function that begins a batch and has a handler answer it."""

    def answer(handler: Any, context: Context, *rows: dict[str, Any], **headers: str) -> Any:
        context.begin_batch([f"id-{at}" for at in range(len(rows))], [dict(headers) for _ in rows])
        return handler.handle(list(rows), context)

    return answer


@pytest.fixture
def model_file(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Return a function that writes a model file, and forget the modules afterwards."""
    before = set(sys.modules)

    def write(text: str, name: str = "net.py") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    yield write
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
