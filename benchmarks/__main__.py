"""Run the benchmarks named on the command line, or all of them; ``--trial`` only sees whether they work."""

import sys
from collections.abc import Callable, Mapping

from benchmarks import (
    bulk,
    command_line,
    large_specs,
    memory,
    mlp,
    noop,
    on_ray,
    payloads,
    pictures,
    round_trip,
    stages,
    start,
    workers,
)
from benchmarks.measure import FULL, TRIAL, Effort

BENCHMARKS: Mapping[str, Callable[[Effort], None]] = {
    "command-line": lambda _: command_line.run(),
    "large-specs": lambda _: large_specs.run(),
    "pictures": lambda _: pictures.run(),
    "workers": lambda _: workers.run(),
    "round-trip": round_trip.run,
    "stages": stages.run,
    "noop": noop.run,
    "growth": noop.run_growth,
    "fan-out": noop.run_fan_out,
    "megabyte": noop.run_megabyte,
    "mlp": mlp.run,
    "mlp-objects": mlp.run_objects,
    "payloads": lambda _: payloads.run(),
    "bulk": bulk.run,
    "start": start.run,
    "memory": memory.run,
    "ray": on_ray.run,
    "ray-growth": on_ray.run_growth,
}


def main() -> None:
    """Run what was asked for; an unknown name is an error."""
    asked = sys.argv[1:]
    names = [name for name in asked if name != "--trial"] or list(BENCHMARKS)
    if unknown := set(names) - BENCHMARKS.keys():
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    for name in names:
        print(f"## {name}", flush=True)
        BENCHMARKS[name](TRIAL if "--trial" in asked else FULL)
        print(flush=True)


if __name__ == "__main__":
    main()
