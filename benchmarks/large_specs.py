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


def write_models(folder: Path, nodes: int) -> Path:
    """Write a chain of models, each with an archive of its own beside the spec."""
    names = [f"m{index}" for index in range(nodes)]
    for name in names:
        (folder / f"{name}.mar").touch()
    spec = folder / "models.yaml"
    models = "".join(f"  {name}: {{url: {name}.mar}}\n" for name in names)
    edges = "".join(f"  {a}: [{b}]\n" for a, b in itertools.pairwise(names))
    spec.write_text(f"models:\n{models}dag:\n{edges}")
    return spec


def write_alias_nest(path: Path) -> None:
    """Write a few hundred bytes whose aliases stand for half a billion values."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in itertools.pairwise("abcdefghi")]
    path.write_text("\n".join(lines))


def write_brackets(path: Path) -> None:
    """Write the nesting that ends libyaml's own composer."""
    path.write_text("dag: " + "[" * 100_000)


def write_long_scalar(path: Path) -> None:
    """Write 50 MB in one scalar, a piece at a time: a child's peak counts what its parent held when it forked."""
    with path.open("w") as file:
        file.write("dag: ")
        for _ in range(50):
            file.write("x" * 1_000_000)


def write_many_values(path: Path) -> None:
    """Write more values than a spec may hold."""
    path.write_text("dag: [" + "x," * 300_000 + "]")


HOSTILE = {
    "alias nest": write_alias_nest,
    "100,000 brackets": write_brackets,
    "50 MB scalar": write_long_scalar,
    "300,000 values": write_many_values,
}


def run() -> None:
    """Print seconds and peak memory for a 10,000-node spec and for each hostile input."""
    command = [script("wfctl"), "validate"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = folder / "small.yaml"
        small.write_text("dag:\n  only: []\n")
        base = [spawn([*command, str(small)]) for _ in range(2)][-1]
        figure = spawn([*command, str(write_spec(folder, layered(NODES, ranks=100, edges_per_node=1.5)))])
        row(f"validate {NODES:,} functions", f"{figure.wall_s:.2f} s, {figure.peak_mb:.0f} MB", "2 s, 200 MB")
        models = folder / "models"
        models.mkdir()
        figure = spawn([*command, str(write_models(models, NODES))])
        row(f"validate {NODES:,} models", f"{figure.wall_s:.2f} s, {figure.peak_mb:.0f} MB", "2 s, 200 MB")
        for what, write in HOSTILE.items():
            path = folder / "hostile" / "hostile.yaml"
            path.parent.mkdir(exist_ok=True)
            write(path)
            figure = spawn([*command, str(path)])
            if figure.returncode != 1:
                raise SystemExit(f"{what}: exit {figure.returncode}")
            extra = figure.peak_mb - base.peak_mb
            row(f"refuse {what}", f"{figure.wall_s:.2f} s, +{extra:.0f} MB", "1 s, +50 MB")
