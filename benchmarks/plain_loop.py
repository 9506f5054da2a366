"""A plain loop over the handlers of two models in one process and one thread: JSON in, JSON out, batches of 8.

``python -m benchmarks.plain_loop FOLDER`` reads seconds from standard input, a line each, works for so long and writes
the runs a second, and which part of its time the first model took. What it does for a batch is what the two workers of
the workflow do, and nothing else; so the larger part is what bounds two workers.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT

BATCH = 8
MODELS = ("first", "second")


class PlainLoop:
    """The loop in its process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.first_share = 0.0
        """Part of the time that the first model took when last asked, reading the JSON text included."""

    def rate(self, seconds: float) -> float:
        """Work for so long and return the runs a second."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(seconds, file=self._process.stdin, flush=True)
        rate, self.first_share = map(float, self._process.stdout.readline().split())
        return rate

    @property
    def bound(self) -> float:
        """How many times as fast as the loop two processes can be that have one model each."""
        return 1 / max(self.first_share, 1 - self.first_share)


@contextmanager
def plain_loop(folder: Path) -> Iterator[PlainLoop]:
    """Start the loop over the models whose parts lie in ``folder``."""
    argv = [sys.executable, "-m", "benchmarks.plain_loop", str(folder)]
    one_thread = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        argv, cwd=ROOT, env=one_thread, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield PlainLoop(process)


def _loaded(folder: Path, name: str) -> Any:
    """Load one model as its worker does."""
    from wfctl.handlers.mock_context import MockContext

    parts = folder / "parts" / name
    sys.path.insert(0, str(parts))
    module = importlib.import_module(f"{name}_handler")
    sys.path.remove(str(parts))
    context = MockContext(model_pt_file=f"{name}.pt", model_dir=str(parts), model_name=name)
    (kind,) = (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__)
    handler = kind()
    handler.initialize(context)
    return lambda rows: handler.handle(rows, context)


class Loop:
    """Both models, and where the time goes."""

    def __init__(self, folder: Path) -> None:
        self._first, self._second = (_loaded(folder, name) for name in MODELS)

    def work(self, texts: list[bytes], seconds: float) -> tuple[float, float]:
        """Return the runs a second, and the part of the time that the first model took."""
        done, at_first = 0, 0.0
        now = started = time.perf_counter()
        while now < started + seconds:
            between = self._first([{"body": json.loads(text)} for text in texts])
            at_first += time.perf_counter() - now
            # Bytes come to the next handler as they do from another process: its own, to change as it likes.
            rows = [{"body": bytearray(each) if isinstance(each, bytes) else each} for each in between]
            _ = [json.dumps(each).encode() for each in self._second(rows)]
            done += len(texts)
            now = time.perf_counter()
        return done / (now - started), at_first / (now - started)


def main() -> None:
    """Work for as long as standard input says, line by line."""
    from benchmarks.mlp import INPUT
    from wfctl.hosting.ts_alias import install_ts_alias

    install_ts_alias()
    loop = Loop(Path(sys.argv[1]))
    texts = [json.dumps(INPUT).encode()] * BATCH
    for line in sys.stdin:
        print(*loop.work(texts, float(line)), flush=True)


if __name__ == "__main__":
    main()
