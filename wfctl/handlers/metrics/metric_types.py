"""The kinds of figures that a handler reports.

Invariant: imports nothing of ours.
"""

import enum


class MetricTypes(enum.Enum):
    """What reports of one figure add up to."""

    COUNTER = "counter"
    """A sum that only grows."""
    GAUGE = "gauge"
    """The last value."""
    HISTOGRAM = "histogram"
    """How many values fell below each bound."""

    # Looked up with every report; the inherited one is written in Python.
    __hash__ = object.__hash__
