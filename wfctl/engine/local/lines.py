"""What workers print, cut into lines.

Invariant: every byte comes out in some line, memory is bounded, and no sequence of bytes raises.
"""

_LONGEST_LINE = 64 * 1024
_LONGEST_CHARACTER = 4
_CONTINUES, _CONTINUES_MASK = 0x80, 0xC0


class LineCutter:
    """Takes bytes as they come and gives whole lines, without their ends."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> list[str]:
        """Return the lines that are whole now; a line that grows too long is cut."""
        *whole, rest = (self._rest + received).split(b"\n")
        lines = [text for line in whole for text in _texts(line)]
        while len(rest) > _LONGEST_LINE:
            end = _cut_at(rest)
            lines.append(_text(rest[:end]))
            rest = rest[end:]
        self._rest = rest
        return lines

    def flush(self) -> list[str]:
        """Return the last line if it has no end."""
        rest, self._rest = self._rest, b""
        return _texts(rest) if rest else []


def _texts(line: bytes) -> list[str]:
    texts = []
    while len(line) > _LONGEST_LINE:
        end = _cut_at(line)
        texts.append(_text(line[:end]))
        line = line[end:]
    return [*texts, _text(line.removesuffix(b"\r"))]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def _cut_at(line: bytes) -> int:
    """Return where to cut a long line, not inside a character."""
    for end in range(_LONGEST_LINE, _LONGEST_LINE - _LONGEST_CHARACTER, -1):
        if line[end] & _CONTINUES_MASK != _CONTINUES:
            return end
    return _LONGEST_LINE
