"""Texts of settings become values.

Pure. Invariant: a text that Java and Python would read differently is refused.
"""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wfctl.web.wire.grammar import VALUE

_WHOLE: Final = re.compile(r"[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_FIELD: Final = re.compile(VALUE)


class MeantError(ValueError):
    """What was meant, in words that follow on the text that was found and a colon."""


def switch(text: str) -> bool:
    """Read ``true`` or ``false``, large or small.

    Java takes every other word for ``false``; somebody who writes ``yes`` is told.
    """
    folded = text.lower()
    if folded not in {"true", "false"}:
        raise MeantError("true or false is meant")
    return folded == "true"


def whole_from_1(what: str) -> Callable[[str], int]:
    """Return what reads a number of ``what``, from 1."""

    def convert(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not int(text):
            raise MeantError(f"a whole number of {what} is meant, from 1")
        return int(text)

    return convert


def minutes(text: str) -> float:
    """Read a number of minutes, which may have decimals."""
    if not _DECIMAL.fullmatch(text) or not float(text):
        raise MeantError("a number of minutes above 0 is meant")
    return float(text)


def path(text: str) -> Path:
    """Read the path of a file or a folder."""
    if not text or "\0" in text:
        raise MeantError("a path is meant")
    return Path(text)


def word(text: str) -> str | None:
    """Read a name; ``None`` where nothing is said."""
    return text or None


def field_value(text: str) -> str | None:
    """Read what can be the value of a field of a response; ``None`` where nothing is said."""
    if not _FIELD.fullmatch(text):
        raise MeantError("the value of a field of HTTP is meant, without line ends and characters beyond Latin-1")
    return text or None


def expression(text: str) -> re.Pattern[str] | None:
    """Read a regular expression; ``None`` where nothing is said."""
    if not text:
        return None
    try:
        with warnings.catch_warnings():
            # Python warns of what will be a set within a set one day; in Java it has been one ever since.
            warnings.simplefilter("error", FutureWarning)
            return re.compile(text)
    except (re.error, OverflowError, RecursionError, FutureWarning) as why:
        raise MeantError(f"Python understands no such regular expression, {_first_line(why)}") from None


def patterns(text: str) -> tuple[str, ...]:
    """Read expressions with commas between them, as patterns of ``wfctl.store.allow``."""
    texts = [each.strip() for each in text.split(",")]
    for each in texts:
        expression(each)
    return tuple(f"re:{each}" for each in texts if each)


def _first_line(why: Exception) -> str:
    return str(why).partition("\n")[0]
