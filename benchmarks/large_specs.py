"""Large and hostile specs: seconds and peak memory of ``wfctl validate`` as a whole process."""

import itertools
import random
import tempfile
from pathlib import Path

from benchmarks.measure import row, script, spawn

NODES = 10_000


def layered(nodes: int, *, ranks: int, edges_per_node: float, seed: int = 7) -> dict[str, list[str]]:
    """Return a seeded layered graph with one entry: node -> children, each edge one rank down."""
    rng = random.Random(seed)
    width = nodes // ranks
    layers = [["n0"], *([f"n{rank * width + index + 1}" for index in range(width)] for rank in range(ranks))]
    dag: dict[str, list[str]] = {name: [] for layer in layers for name in layer}
    for above, below in itertools.pairwise(layers):
        for name in below:
            parents = 1 + (rng.random() < edges_per_node - 1)
            for parent in rng.sample(above, min(parents, len(above))):
                dag[parent].append(name)
    return dag


def write_spec(folder: Path, dag: dict[str, list[str]]) -> Path:
    """Write the graph as a spec whose nodes are all functions, with a handler that has them."""
    (folder / "handler.py").write_text("".join(f"def {name}(data, context): return data\n" for name in dag))
    spec = folder / "workflow.yaml"
    spec.write_text("dag:\n" + "".join(f"  {name}: [{', '.join(targets)}]\n" for name, targets in dag.items()))
    return spec


def hostile() -> dict[str, str]:
    """Return inputs that break readers: name -> text."""
    nest = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=False):
        nest += f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    return {
        "alias nest": nest,
        "100,000 brackets": "dag: " + "[" * 100_000,
        "50 MB scalar": "dag: " + "x" * 50_000_000,
    }


def run() -> None:
    """Print seconds and peak memory for a 10,000-node spec and for each hostile input."""
    command = [script("wfctl"), "validate"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = folder / "small.yaml"
        small.write_text("dag:\n  only: []\n")
        base = spawn([*command, str(small)])
        figure = spawn([*command, str(write_spec(folder, layered(NODES, ranks=100, edges_per_node=1.5)))])
        row(f"validate {NODES:,} nodes", f"{figure.wall_s:.2f} s, {figure.peak_mb:.0f} MB", "2 s, 200 MB")
        for what, text in hostile().items():
            path = folder / "hostile.yaml"
            path.write_text(text)
            figure = spawn([*command, str(path)])
            assert figure.returncode == 1, f"{what}: exit {figure.returncode}"
            extra = figure.peak_mb - base.peak_mb
            row(f"refuse {what}", f"{figure.wall_s:.2f} s, +{extra:.0f} MB", "1 s, +50 MB")
