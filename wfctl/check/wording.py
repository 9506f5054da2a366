"""The user's words inside our sentences.

Invariant: whatever a name holds (escapes, line ends, a megabyte), the sentence stays one short printable line.
"""

from collections.abc import Sequence

_LONGEST = 60


def quoted(word: str) -> str:
    """Return ``word`` in double quotes, unprintable characters spelled out, cut when it is very long."""
    shown = word if len(word) <= _LONGEST else word[: _LONGEST - 3] + "..."
    if shown.isprintable() and '"' not in shown:
        return f'"{shown}"'
    return '"' + "".join(_spelled(char) for char in shown) + '"'


def _spelled(char: str) -> str:
    if char == '"':
        return '\\"'
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


def listed(words: Sequence[str], *, joint: str = ", ", limit: int = 8) -> str:
    """Return the words quoted and joined, with a count in place of what is beyond ``limit``."""
    shown = joint.join(quoted(word) for word in words[:limit])
    more = len(words) - limit
    return f"{shown} and {more} more" if more > 0 else shown


def did_you_mean(matches: Sequence[str]) -> str | None:
    """Return the question that offers ``matches``, ``None`` where there are none."""
    if not matches:
        return None
    return f"did you mean {' or '.join(quoted(match) for match in matches)}?"
