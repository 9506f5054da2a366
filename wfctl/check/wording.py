"""The user's words inside our sentences.

Invariant: whatever a name holds (escapes, line ends, a megabyte), the sentence stays one short printable line.
"""

from collections.abc import Sequence

_LONGEST = 60
_LONGEST_TO_TYPE = 400


def quoted(word: str, longest: int = _LONGEST) -> str:
    """Return ``word`` in double quotes, unprintable characters spelled out, cut when it is very long."""
    shown = word if len(word) <= longest else word[: longest - 3] + "..."
    if shown.isprintable() and '"' not in shown:
        return f'"{shown}"'
    return '"' + "".join(_spelled(char) for char in shown) + '"'


def to_type(word: str) -> str:
    """Return what somebody is to type or to copy: it is of no use when it is cut."""
    return quoted(word, _LONGEST_TO_TYPE)


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
