"""One input of a bulk run, and how the file that it comes from is read.

Hot record: a plain slotted class, made once per input. Invariant: values only.
"""

from collections.abc import Callable
from enum import Enum

from wfctl.engine.call import Part


class Form(Enum):
    """What the inputs of a file are."""

    LINES = "jsonl"
    """Each line is a request."""
    ROWS = "csv"
    """Each row below the header is a JSON object."""
    ELEMENTS = "each"
    """Each element of a JSON array is a request."""
    WHOLE = "whole"
    """The file itself is the one request."""


Skips = Callable[[int, str], bool]
"""Whether the input of this number and stem is done already."""


class Item:
    """One input: what is sent, or why nothing can be."""

    __slots__ = ("fault", "name", "number", "parts", "position", "size", "stem", "text")

    def __init__(  # noqa: PLR0917 - keywords cost time where there are millions
        self,
        number: int,
        name: str | None,
        stem: str,
        position: int,
        body: bytes | None,
        content_type: str,
        fault: str | None = None,
        text: int | str | None = None,
    ) -> None:
        self.number = number
        """Counts from 1 over all inputs of the run."""
        self.name = name
        """Which input that is, where the number alone does not tell."""
        self.stem = stem
        """What the answer's file is called, without its ending."""
        self.position = position
        """Bytes of all inputs up to and with this one; tells how far the run is."""
        self.text = text
        """Its line or its file, where it must be JSON: that is seen by the worker, which has to decode it anyway."""
        self.parts: tuple[Part, ...] = ()
        if body is not None:
            self.parts = (Part("body", body, content_type, must_be_json=text is not None),)
        self.size = 0 if body is None else len(body)
        self.fault = fault
        """Why it cannot be sent."""

    def not_json(self, reason: str) -> str:
        """Say that it is no JSON."""
        text = f"line {self.text}" if isinstance(self.text, int) else f'"{self.text}"'
        return f"{text} is not JSON: {reason}"

    def __repr__(self) -> str:
        return f"Item({self.number}, {self.name!r}, {self.fault or f'{self.size} bytes'})"
