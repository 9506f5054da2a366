"""A label of a figure.

Invariant: imports nothing.
"""


class Dimension:
    """One label: a name and a value."""

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value

    def __str__(self) -> str:
        return f"{self.name}:{self.value}"

    def to_dict(self) -> dict[str, str]:
        """Return the label as the original's JSON has it."""
        return {"Name": self.name, "Value": self.value}
