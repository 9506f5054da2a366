"""The workflows that are measured, written to a folder as their users would write them."""

import itertools
import subprocess
from pathlib import Path

from benchmarks.measure import script

NOTHING = "def {name}(data, context):\n    return data and [row['body'] for row in data]\n\n\n"
IDENTITY = "def handle(data, context):\n    return data and [row['body'] for row in data]\n"
JOIN = "def join(data, context):\n    return data and [b''.join(row.values()) for row in data]\n"

FIRST_MODEL = """
from torch import nn


class First(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 512))
"""

SECOND_MODEL = """
from torch import nn


class Second(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 10))
"""

LARGE_MODEL = """
from torch import nn


class Large(nn.Linear):
    def __init__(self):
        super().__init__(7168, 7168)
"""

FROM_LISTS = """
import torch
from ts.torch_handler.base_handler import BaseHandler


class FromLists(BaseHandler):
    def preprocess(self, data):
        return torch.tensor([row.get("data") or row.get("body") for row in data], dtype=torch.float32)

    def postprocess(self, data):
        return {postprocessed}
"""
AS_BYTES = FROM_LISTS.format(postprocessed="[row.numpy().tobytes() for row in data]")
AS_TENSORS = FROM_LISTS.format(postprocessed="list(data)")

TO_DIGIT = """
import torch
from ts.torch_handler.base_handler import BaseHandler


class ToDigit(BaseHandler):
    def preprocess(self, data):
        return torch.stack([{preprocessed} for row in data])

    def postprocess(self, data):
        return data.argmax(1).tolist()
"""
OF_BYTES = TO_DIGIT.format(preprocessed='torch.frombuffer(row["body"], dtype=torch.float32)')
OF_TENSORS = TO_DIGIT.format(preprocessed='row["body"]')

LARGE_HANDLER = """
import torch
from ts.torch_handler.base_handler import BaseHandler


class Sums(BaseHandler):
    def preprocess(self, data):
        return torch.tensor([[float(row.get("data") or row.get("body"))] * 7168 for row in data])

    def postprocess(self, data):
        return data.sum(1).tolist()
"""


def write_functions(folder: Path, nodes: int) -> Path:
    """Write a chain of functions that hand on what they get."""
    names = [f"step{number}" for number in range(nodes)]
    (folder / "handler.py").write_text("".join(NOTHING.format(name=name) for name in names))
    edges = "".join(f"  {above}: [{below}]\n" for above, below in itertools.pairwise(names))
    (folder / "workflow.yaml").write_text(f"dag:\n{edges}")
    return folder


def write_noop4(folder: Path) -> Path:
    """Write a function, two models and a function, all of which hand on what they get."""
    (folder / "handler.py").write_text(NOTHING.format(name="pre") + NOTHING.format(name="post"))
    for name in ("one", "two"):
        _pack(folder, name, handler=IDENTITY)
    (folder / "workflow.yaml").write_text(
        "models:\n  one: {url: one.mar}\n  two: {url: two.mar}\ndag:\n  pre: [one]\n  one: [two]\n  two: [post]\n"
    )
    return folder


def write_fan_out(folder: Path, width: int = 3) -> Path:
    """Write an entry, functions side by side, and a function that joins what they hand on."""
    names = [f"side{number}" for number in range(width)]
    (folder / "handler.py").write_text("".join(NOTHING.format(name=name) for name in ("entry", *names)) + JOIN)
    joined = "".join(f"  {name}: [join]\n" for name in names)
    (folder / "workflow.yaml").write_text(f"dag:\n  entry: [{', '.join(names)}]\n{joined}")
    return folder


def write_mlp2(folder: Path, *, objects: bool = False) -> Path:
    """Write two models in a row, from a list of 512 numbers to a digit; tensors between them if ``objects``."""
    first, second = (AS_TENSORS, OF_TENSORS) if objects else (AS_BYTES, OF_BYTES)
    _pack(folder, "first", handler=first, model=FIRST_MODEL, kind="First")
    _pack(folder, "second", handler=second, model=SECOND_MODEL, kind="Second")
    (folder / "workflow.yaml").write_text(
        "models:\n  batch-size: 8\n  max-batch-delay: 5\n"
        "  first: {url: first.mar}\n  second: {url: second.mar}\n"
        "dag:\n  first: [second]\n" + ("wfctl:\n  payload: object\n" if objects else "")
    )
    return folder


def write_large_model(folder: Path, workers: int) -> Path:
    """Write a workflow with one model whose weights are 200 MB."""
    _pack(folder, "large", handler=LARGE_HANDLER, model=LARGE_MODEL, kind="Large")
    return _write_one(folder, "large", workers)


def write_small_model(folder: Path, workers: int) -> Path:
    """Write a workflow with one model of a few megabytes."""
    _pack(folder, "first", handler=AS_BYTES, model=FIRST_MODEL, kind="First")
    return _write_one(folder, "first", workers)


def _write_one(folder: Path, name: str, workers: int) -> Path:
    (folder / "workflow.yaml").write_text(
        f"models:\n  min-workers: {workers}\n  max-workers: {workers}\n  {name}: {{url: {name}.mar}}\n"
        f"dag:\n  {name}: []\n"
    )
    return folder


def _pack(folder: Path, name: str, *, handler: str, model: str | None = None, kind: str = "") -> None:
    """Write the parts of a model to a folder of its own, and the archive of them to ``folder``."""
    parts = folder / "parts" / name
    parts.mkdir(parents=True)
    (parts / f"{name}_handler.py").write_text(handler)
    argv = [script("wfctl"), "archive-model", "--model-name", name, "--version", "1.0"]
    argv += ["--handler", str(parts / f"{name}_handler.py"), "--export-path", str(folder)]
    argv += ["--archive-format", "zip-store"]  # random weights do not compress
    if model is not None:
        (parts / "model.py").write_text(model)
        _write_weights(parts, name, kind)
        argv += ["--model-file", str(parts / "model.py"), "--serialized-file", str(parts / f"{name}.pt")]
    subprocess.run(argv, check=True, capture_output=True)


def _write_weights(parts: Path, name: str, kind: str) -> None:
    import torch

    torch.manual_seed(0)
    found: dict[str, type[torch.nn.Module]] = {}
    exec((parts / "model.py").read_text(), found)
    torch.save(found[kind]().state_dict(), parts / f"{name}.pt")
