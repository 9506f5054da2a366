"""Run the benchmarks named on the command line, or all of them."""

import sys

from benchmarks import command_line, large_specs, payloads, pictures, relay, workers

BENCHMARKS = {
    "command-line": command_line.run,
    "large-specs": large_specs.run,
    "payloads": payloads.run,
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
