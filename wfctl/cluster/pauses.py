"""How often to look where Ray tells nobody but its own processes of a change."""

from collections.abc import Iterator

_LONGEST_S = 1.0


def pauses(first_s: float) -> Iterator[float]:
    """Return for how long to wait before looking again, and again: many may look at a time."""
    pause_s = first_s
    while True:
        yield pause_s
        pause_s = min(pause_s * 1.3, _LONGEST_S)
