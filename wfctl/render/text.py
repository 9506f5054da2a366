"""Names from outside, made fit to be drawn: harmless, measured, clipped.

Invariant: what leaves ``harmless`` holds no control, format, bidirectional or line-breaking character.
"""

from unicodedata import category, east_asian_width

ELLIPSIS = "…"


def harmless(text: str) -> str:
    """Return ``text`` with everything that is not plainly printable written as an escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def plain(text: str) -> str:
    """Return ``text`` with everything beyond ASCII written as an escape as well; our own dots become commas."""
    return harmless(text.replace(" ·", ",")).encode("ascii", "backslashreplace").decode("ascii")


def columns(text: str) -> int:
    """Return how many terminal columns printable ``text`` takes."""
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if category(char) in {"Mn", "Me"}:  # marks that are set upon the character before
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def clip(text: str, limit: int, mark: str = ELLIPSIS) -> str:
    """Return printable ``text`` cut to at most ``limit`` columns, ``mark`` at the end where something was cut."""
    if columns(text) <= limit:
        return text
    room = limit - len(mark)
    kept = []
    for char in text:
        room -= _columns(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept) + mark


def cells(text: str) -> list[str]:
    """Return printable ``text`` as one string per column; the second column of a wide character is empty."""
    found: list[str] = []
    for char in text:
        width = _columns(char)
        if width:
            found.extend((char, "") if width == 2 else (char,))  # noqa: PLR2004 - two columns
        elif found:
            found[-1 if found[-1] else -2] += char
    return found
