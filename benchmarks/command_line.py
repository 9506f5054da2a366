"""How long the command line takes beside a bare import of what it needs."""

import itertools
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import interleaved, row, script

ROUNDS = 15


def ten_nodes(folder: Path) -> Path:
    """Write a ten-node spec with its handler and one finding (a model that no edge uses)."""
    names = [f"step{index}" for index in range(10)]
    edges = "".join(f"  {a}: [{b}]\n" for a, b in itertools.pairwise(names))
    (folder / "handler.py").write_text("".join(f"def {name}(data, context):\n    return data\n\n\n" for name in names))
    spec = folder / "workflow.yaml"
    spec.write_text(f"models:\n  spare:\n    url: https://example.org/spare.mar\ndag:\n{edges}")
    return spec


def run() -> None:
    """Print the two ratios of the command line."""
    with tempfile.TemporaryDirectory() as name:
        spec = ten_nodes(Path(name))
        medians = interleaved(
            {
                "click": [sys.executable, "-c", "import click"],
                "help": [script("wfctl"), "--help"],
                "libraries": [sys.executable, "-c", "import click, yaml, jsonschema"],
                "validate": [script("wfctl"), "validate", str(spec)],
            },
            rounds=ROUNDS,
        )
    help_ratio, validate_ratio = medians["help"] / medians["click"], medians["validate"] / medians["libraries"]
    row("wfctl --help / python -c 'import click'", f"{help_ratio:.2f}x ({medians['help']:.3f} s)", "at most 2x")
    row(
        "wfctl validate, ten nodes / import click, yaml, jsonschema",
        f"{validate_ratio:.2f}x ({medians['validate']:.3f} s)",
        "at most 1.5x",
    )
