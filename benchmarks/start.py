"""How long a workflow of two torch models takes from the start of its server to the first answer over HTTP."""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.load import ask, json_request
from benchmarks.measure import FULL, Effort, row, spawn
from benchmarks.mlp import INPUT
from benchmarks.servers import serving
from benchmarks.workflows import write_mlp2

IMPORT = "import torch, os; os._exit(0)"
"""Without the end of the interpreter, which takes torch almost half as long again and no answer waits for."""


def run(effort: Effort = FULL) -> None:
    """Print the time beside that of a bare import of torch, and what lies between them."""
    request = json_request(INPUT)
    answered: list[float] = []
    imported: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = write_mlp2(Path(name))
        for number in range(effort.rounds + 1):  # the first, with cold files, is not counted
            imported.append(spawn([sys.executable, "-c", IMPORT]).wall_s)
            answered.append(first_answer_s(folder, request))
            if not number:
                imported, answered = [], []
    over = statistics.median(one - other for one, other in zip(answered, imported, strict=True))
    both = f"{statistics.median(answered):.2f} - {statistics.median(imported):.2f} s"
    row("two torch models, first answer over a bare import torch", f"{over:+.2f} s ({both})", "at most 1.0 s")


def first_answer_s(folder: Path, request: bytes) -> float:
    """Return the seconds from the start of a server to its first answer."""
    started = time.perf_counter()
    with serving(folder) as server:
        ask(server.port, server.addressed(request))
        return time.perf_counter() - started
