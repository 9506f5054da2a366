"""Makes text of users safe for terminals and for reports that are read line by line.

Invariant: imports nothing, so that everything in this floor may import it.
"""


def printable(text: str, *, keep: str = "\n") -> str:
    """Return ``text`` with control and bidirectional characters written as escapes, ``keep`` excepted."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
