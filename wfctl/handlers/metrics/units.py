"""Units of figures: how handlers write them, and how they are shown.

Invariant: a unit that is not known stays as it is written.
"""

from collections.abc import Mapping
from typing import Final

TIME_UNITS: Final = ("ms", "s")
SIZE_UNITS: Final = ("MB", "kB", "GB", "B")

UNITS: Final[Mapping[str | None, str]] = {
    "ms": "Milliseconds",
    "s": "Seconds",
    "percent": "Percent",
    "count": "Count",
    "MB": "Megabytes",
    "GB": "Gigabytes",
    "kB": "Kilobytes",
    "B": "Bytes",
    "": "unit",
    None: "unit",
}
"""As written -> as shown."""


class Units:
    """The table as handlers know it."""

    def __init__(self) -> None:
        self.units = dict(UNITS)
