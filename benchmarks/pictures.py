"""Drawing a graph of 1,000 nodes (30 ranks, 1.5 edges a node) in every format, as a whole process."""

import tempfile
from pathlib import Path

from benchmarks.large_specs import layered, write_spec
from benchmarks.measure import row, script, spawn


def run() -> None:
    """Print the seconds of each format."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = write_spec(folder, layered(1_000, ranks=30, edges_per_node=1.5))
        for form in ("terminal", "svg", "mermaid", "dot", "json"):
            figure = spawn([script("wfctl"), "render", str(spec), "--format", form])
            row(f"render 1,000 nodes as {form}", f"{figure.wall_s:.2f} s", "2 s")
