"""Java's ``.properties`` format, as far as ``java.util.Properties.load`` reads it, and variables in its values.

Pure. Invariant: text only; what a key means is known elsewhere, and no disk and no environment is looked at.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from wfctl.check.wording import quoted
from wfctl.errors import WfctlError

# Java knows these three ends of a line and these three blanks, and none of the others that Unicode has.
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_BLANKS: Final = " \t\f"
_KEY: Final = re.compile(r"(?:[^\\=: \t\f]|\\.)*+", re.DOTALL)
_SEPARATOR: Final = re.compile(r"[ \t\f]*+[=:]?[ \t\f]*+")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_MEANINGS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_VARIABLE: Final = re.compile(r"\$\$([^$]+)\$\$")


class ConfigError(WfctlError):
    """A file of settings, or a variable of the environment that stands for a setting, says what cannot be meant."""

    code = "bad-config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One value of a file."""

    value: str
    line: int
    """Of its key, from 1."""
    begins: tuple[int, int]
    """Line and column of the value, from 1; another line than the key's where that ends in a backslash."""

    def where(self, name: str) -> str:
        """Return ``file:line:column`` of the value in the file called ``name``."""
        return f"{name}:{self.begins[0]}:{self.begins[1]}"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as Java sees it: put together of those that end in a backslash and the one that follows."""

    text: str
    pieces: tuple[tuple[int, int, int], ...]
    """Of each piece: where it begins in the text, its line, its column there."""

    def place(self, at: int) -> tuple[int, int]:
        """Return line and column of a character."""
        begin, line, column = next(piece for piece in reversed(self.pieces) if piece[0] <= at)
        return line, column + at - begin


def parse_properties(text: str, *, name: str) -> dict[str, Property]:
    r"""Return the values by their keys, of two with one key the last; ``name`` is the file's, for messages.

    Raises ``ConfigError`` for a ``\u`` without four hexadecimal digits, or one that is half a character.
    """
    found: dict[str, Property] = {}
    for line in _lines(text.removeprefix("\ufeff")):
        end = _end(_KEY, line.text, 0)
        begin = _end(_SEPARATOR, line.text, end)
        key = _unescaped(line, 0, end, name)
        value = _unescaped(line, begin, len(line.text), name)
        found[key] = Property(value=value, line=line.pieces[0][1], begins=line.place(begin))
    return found


def replace_variables(
    properties: Mapping[str, Property], environ: Mapping[str, str], *, name: str
) -> dict[str, Property]:
    """Return the same with ``$$VAR$$`` replaced, once: what a variable holds is not looked through again.

    Raises ``ConfigError`` for a variable that is not set.
    """

    def replaced(key: str, given: Property) -> str:
        def content(found: re.Match[str]) -> str:
            variable = found.group(1)
            if variable not in environ:
                raise ConfigError(
                    f"{given.where(name)}: {quoted(key)} needs the environment variable {quoted(variable)}, "
                    "which is not set",
                )
            return environ[variable]

        return _VARIABLE.sub(content, given.value)

    return {key: replace(given, value=replaced(key, given)) for key, given in properties.items()}


def _lines(text: str) -> Iterator[_Line]:
    """Yield lines that say something."""
    parts: list[str] = []
    pieces: list[tuple[int, int, int]] = []
    length = 0
    for number, natural in enumerate(_LINE_END.split(text), start=1):
        content = natural.lstrip(_BLANKS)
        if not length and (not content or content[0] in "#!"):
            pieces.clear()  # of lines that hold a backslash and nothing else
            continue
        pieces.append((length, number, len(natural) - len(content) + 1))
        goes_on = (len(content) - len(content.rstrip("\\"))) % 2 == 1
        parts.append(content[:-1] if goes_on else content)
        length += len(parts[-1])
        if not goes_on:
            yield _Line("".join(parts), tuple(pieces))
            parts, pieces, length = [], [], 0
    if length:
        yield _Line("".join(parts), tuple(pieces))


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _unescaped(line: _Line, begin: int, end: int, name: str) -> str:
    raw = line.text[begin:end]
    if "\\" not in raw:
        return raw

    def refused(at: int, why: str) -> ConfigError:
        row, column = line.place(begin + at)
        return ConfigError(f"{name}:{row}:{column}: {why}", hint=r"a backslash itself is written \\")

    def meaning(found: re.Match[str]) -> str:
        digits, char = found.groups()
        if digits is not None:
            return chr(int(digits, 16))
        if char == "u":
            raise refused(found.start(), r"four hexadecimal digits must follow \u")
        return _MEANINGS.get(char, char)

    text = _ESCAPE.sub(meaning, raw)
    if not _SURROGATE.search(text):
        return text
    try:
        # Java's characters have 16 bits: what lies beyond them is written as two.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise refused(0, r"\ud800 to \udfff are halves of characters, and one stands here without the other") from None
