"""What a handler measured, as its worker tells it when it is asked.

Invariant: values only; how they add up over workers is no matter of the engine's.
"""

from dataclasses import dataclass
from typing import Final

from wfctl.handlers.metrics.recorder import Reported

MOST_SERIES: Final = 1000
"""Of one worker: figures, each under one set of labels."""
MOST_BYTES: Final = 64 * 1024
"""Of one frame in which a worker tells them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All figures of one worker at one moment, since its start."""

    series: tuple[Reported, ...]
    left_out: int = 0
    """Further figures that it has and does not tell: too many, too large, or nothing that can be told."""
    is_last: bool = False
    """Whether it ends now, and nothing more will be heard of it."""
