"""What a megabyte and a small tensor cost between nodes: as bytes, as objects, and as files that handlers make of them.

All chains have four functions in four processes and answer with the bytes that came in.
"""

import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch

import wfctl
from benchmarks.measure import row
from wfctl.engine.worker.surroundings import keep_memory
from wfctl.hosting.objects import from_body, to_body

LARGE, SMALL = 2**20, 100
ROUNDS = 300

OBJECTS = {
    "a": "[torch.frombuffer(row['body'], dtype=torch.float32) for row in data]",
    "b": "[row['body'] for row in data]",
    "c": "[row['body'] for row in data]",
    "d": "[row['body'].numpy().tobytes() for row in data]",
}
FILES = {
    "a": "[torch.frombuffer(row['body'], dtype=torch.float32) for row in data]",
    "b": "[torch.load(io.BytesIO(row['body']), weights_only=True) for row in data]",
    "c": "[torch.load(io.BytesIO(row['body']), weights_only=True) for row in data]",
    "d": "[torch.load(io.BytesIO(row['body']), weights_only=True).numpy().tobytes() for row in data]",
}
CHAINS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "bytes": ("bytes", dict.fromkeys("abcd", "[row['body'] for row in data]")),
    "objects": ("object", OBJECTS),
    "files": ("bytes", FILES),
}


def write_chain(folder: Path, name: str) -> Path:
    """Write the workflow of one way to hand tensors on."""
    payload, answers = CHAINS[name]
    functions = (f"def {node}(data, context):\n    return data and {answer}\n" for node, answer in answers.items())
    (folder / "handler.py").write_text("import io\nimport torch\n\n" + "\n".join(functions))
    (folder / "workflow.yaml").write_text(f"dag:\n  a: [b]\n  b: [c]\n  c: [d]\nwfctl:\n  payload: {payload}\n")
    return folder


def medians(ways: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median seconds of each way, taken in turn call by call; the first twentieth is not counted."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            found[name].append(time.perf_counter() - started)
    return {name: statistics.median(each[ROUNDS // 20 :]) for name, each in found.items()}


def chains(size: int) -> dict[str, float]:
    """Return the seconds of one run of each chain."""
    body = bytes(size)
    with ExitStack() as stack:
        ways: dict[str, Callable[[], Any]] = {}
        for name in CHAINS:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            flow = stack.enter_context(wfctl.open_deployment(write_chain(folder, name)))
            assert flow.predict(body).body == body
            ways[name] = partial(flow.predict, body)
        return medians(ways)


def codecs(size: int) -> dict[str, float]:
    """Return the seconds of one way out of and into a process, without the process."""
    tensor = torch.zeros(size // 4)
    return medians(
        {
            "ours": lambda: from_body(bytearray(bytes(to_body(tensor)))),
            "pickle": lambda: pickle.loads(pickle.dumps(tensor, pickle.HIGHEST_PROTOCOL)),
        }
    )


def run() -> None:
    """Print what each way costs, beside bytes that nobody looks at."""
    # As in workers. Without it this process gives memory back to the kernel and asks for it again all the time, more
    # often for one chain than for the other by the luck of what lies at the end of its heap.
    keep_memory()
    for size, shown in ((LARGE, "1 MB"), (SMALL, "100 bytes")):
        took = chains(size)
        plain = took["bytes"]
        row(f"{shown} of bytes through four functions", f"{plain * 1e3:.2f} ms", "the limit")
        for name, what in (("objects", "payload: object"), ("files", "torch.save and torch.load between nodes")):
            row(f"a tensor of {shown}, {what}", f"{took[name] * 1e3:.2f} ms, {took[name] / plain:.2f}x", "none")
        alone = codecs(size)
        text = f"{alone['ours'] * 1e6:.0f} us, {alone['ours'] / alone['pickle']:.2f}x of pickle"
        row(f"a tensor of {shown} packed and unpacked", text, "none")
