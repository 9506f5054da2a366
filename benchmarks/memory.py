"""What each further worker of a model costs in memory, its weights apart."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wfctl
from benchmarks.measure import FULL, Effort, row
from benchmarks.mlp import INPUT
from benchmarks.processes import mapped_mb, private_mb
from benchmarks.workflows import write_large_model, write_small_model

WORKERS = 4
REQUESTS = 100
_LARGE_MB = 7168 * 7169 * 4 / 2**20


def run(effort: Effort = FULL) -> None:
    """Print the memory of four workers of a small model, and of four of a large one."""
    del effort  # a hundred requests are what the promise speaks of
    private, _ = measured(write_small_model, INPUT)
    row(f"private memory of each of {WORKERS} workers, small model", f"{private:.0f} MB", "at most 60 MB")
    private, weights = measured(write_large_model, 0.5)
    row(f"the same, weights of {_LARGE_MB:.0f} MB", f"{private:.0f} MB", "at most 60 MB beyond the weights")
    text = f"{weights:.0f} MB, {weights / _LARGE_MB:.2f}x"
    row(f"  their weights, all {WORKERS} workers together", text, "the weights once")


def measured(write: Callable[[Path, int], Path], value: Any) -> tuple[float, float]:
    """Return the private MB of the largest worker after a hundred requests, and the MB of weights in all of them."""
    with tempfile.TemporaryDirectory() as name, wfctl.open_deployment(write(Path(name), WORKERS)) as flow:
        if sum(1 for _ in flow.predict_many([value] * REQUESTS)) != REQUESTS:
            raise SystemExit("some requests were not answered")
        model = next(node for node in flow.engine.statistics().nodes if len(node.worker_pids) == WORKERS)
        return max(map(private_mb, model.worker_pids)), sum(mapped_mb(pid, ".pt") for pid in model.worker_pids)
