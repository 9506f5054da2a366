"""Run the benchmarks named on the command line, or all of them."""

import sys

from benchmarks import bulk_runs, command_line, large_specs, pictures, relay, workers

BENCHMARKS = {
    "bulk-runs": bulk_runs.run,
    "command-line": command_line.run,
    "large-specs": large_specs.run,
    "pictures": pictures.run,
    "round-trip": relay.run,
    "workers": workers.run,
}


def main() -> None:
    """Run what was asked for; an unknown name is an error."""
    names = sys.argv[1:] or list(BENCHMARKS)
    if unknown := set(names) - BENCHMARKS.keys():
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    for name in names:
        print(f"## {name}")
        BENCHMARKS[name]()
        print()


if __name__ == "__main__":
    main()
