"""What worker processes cost: time until a workflow answers, memory of each worker, time of one run."""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import wfctl
from benchmarks.measure import interleaved, row, script
from benchmarks.processes import private_mb

ROUNDS = 5
RUNS = 2_000

NOOP = "".join(f"def {name}(data, context):\n    return data and [row['body'] for row in data]\n" for name in "abcd")
TORCH = f"import torch\n\n{NOOP}"


def write_chain(folder: Path, handler: str) -> Path:
    """Write a chain of four functions that hand on what they get."""
    (folder / "handler.py").write_text(handler)
    (folder / "workflow.yaml").write_text("dag:\n  a: [b]\n  b: [c]\n  c: [d]\n")
    (folder / "input.json").write_text("{}")
    return folder


def run() -> None:
    """Print start, memory and round trip."""
    with tempfile.TemporaryDirectory() as plain, tempfile.TemporaryDirectory() as torch:
        plain_chain, torch_chain = write_chain(Path(plain), NOOP), write_chain(Path(torch), TORCH)
        medians = interleaved(
            {
                "import torch": [sys.executable, "-c", "import torch"],
                "torch": [script("wfctl"), "run", "-w", torch, str(torch_chain / "input.json")],
                "plain": [script("wfctl"), "run", "-w", plain, str(plain_chain / "input.json")],
            },
            rounds=ROUNDS,
        )
        over = medians["torch"] - medians["import torch"]
        row("wfctl run, four torch workers, over a bare import torch", f"{over:+.2f} s", "at most 1.0 s for serve")
        row("wfctl run, four plain workers, start to answer", f"{medians['plain']:.2f} s", "none")
        with wfctl.open_deployment(torch_chain) as flow:
            times = []
            for _ in range(RUNS):
                started = time.perf_counter()
                flow.predict(b"x" * 100)
                times.append(time.perf_counter() - started)
            pids = [pid for node in flow.engine.statistics().nodes for pid in node.worker_pids]
            memory = statistics.median(map(private_mb, pids))
        row(
            "one run through four processes, p50, from another thread",
            f"{statistics.median(times) * 1e3:.2f} ms",
            "none",
        )
        row(f"private memory of a torch worker after {RUNS:,} runs", f"{memory:.0f} MB", "at most 60 MB")
