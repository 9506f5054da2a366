"""What YAML 1.1 reads in one word: the core types of plain scalars, and their Python values.

Invariant: pure text in, kind or value out; no parser and no findings.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum


class Kind(Enum):
    """The core types; the value is how messages call them."""

    TEXT = "text"
    INTEGER = "a whole number"
    FLOAT = "a decimal number"
    BOOLEAN = "a boolean"
    NULL = "nothing"
    TIMESTAMP = "a date"
    MERGE = "a merge key"


MAX_DIGITS = 100
"""Longer whole numbers are no setting of anything, and slow to convert."""

_NULL = frozenset(("~", "null", "Null", "NULL"))
_TRUE = frozenset(("yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_INTEGER = re.compile(
    r"""[-+]?(?: 0b[01_]+ | 0[0-7_]+ | 0 | [1-9][0-9_]* | 0x[0-9a-fA-F_]+ | [1-9][0-9_]*(?::[0-5]?[0-9])+ )""",
    re.VERBOSE,
)
_FLOAT = re.compile(
    r"""[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)? | \.[0-9][0-9_]*(?:[eE][-+][0-9]+)?
      | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]* | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)""",
    re.VERBOSE,
)
_TIMESTAMP = re.compile(
    r"""(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)
        (?: (?:[Tt]|[ \t]+)(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d*))?
            (?:[ \t]*(?P<zone>Z|[-+]\d\d?(?::\d\d)?))? )?""",
    re.VERBOSE | re.ASCII,
)
_DAY_ALONE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER_START = frozenset("0123456789+-.")
_WORD_START = frozenset("~nNyYtToOfF<")


def kind_of(text: str) -> Kind:
    """Return what YAML 1.1 reads in the plain scalar ``text``."""
    if not text:
        return Kind.NULL
    if text[0] in _NUMBER_START:
        return _kind_of_number(text)
    if text[0] not in _WORD_START:
        return Kind.TEXT
    if text in _NULL:
        return Kind.NULL
    if text in _TRUE or text in _FALSE:
        return Kind.BOOLEAN
    return Kind.MERGE if text == "<<" else Kind.TEXT


def _kind_of_number(text: str) -> Kind:
    if _INTEGER.fullmatch(text):
        return Kind.INTEGER
    if _FLOAT.fullmatch(text):
        return Kind.FLOAT
    day = _TIMESTAMP.fullmatch(text)
    if day and (day["hour"] is not None or _DAY_ALONE.fullmatch(text)):
        return Kind.TIMESTAMP
    return Kind.TEXT


Plain = str | int | float | bool | date | None


def value_of(kind: Kind, text: str) -> Plain:
    """Return the Python value of a scalar; ``ValueError`` where the text is none of its kind."""
    match kind:
        case Kind.TEXT | Kind.MERGE:
            return text
        case Kind.NULL:
            return None
        case Kind.BOOLEAN:
            return _boolean(text)
        case Kind.INTEGER:
            return _integer(text)
        case Kind.FLOAT:
            return _float(text)
        case Kind.TIMESTAMP:
            return _timestamp(text)


def _boolean(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(text)


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS or not _INTEGER.fullmatch(text):
        raise ValueError(text)
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-").replace("_", "")
    if ":" in digits:
        return sign * int(_sexagesimal(digits))
    base = {"0b": 2, "0x": 16}.get(digits[:2]) or (8 if digits[:1] == "0" and len(digits) > 1 else 10)
    return sign * int(digits[2:] if base in {2, 16} else digits, base)


def _float(text: str) -> float:
    digits = text.replace("_", "").lower()
    if digits.lstrip("+-") == ".inf" or digits == ".nan":
        return float(digits.replace(".", ""))
    if len(text) > MAX_DIGITS:
        raise ValueError(text)
    if ":" in digits:
        return (-1 if digits[0] == "-" else 1) * _sexagesimal(digits.lstrip("+-"))
    return float(digits)


def _sexagesimal(digits: str) -> float:
    total = 0.0 if "." in digits else 0
    for part in digits.split(":"):
        total = total * 60 + (float(part) if "." in part else int(part))
    return total


def _timestamp(text: str) -> date:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day = date(int(match["year"]), int(match["month"]), int(match["day"]))
    if match["hour"] is None:
        return day
    micro = int((match["fraction"] or "")[:6].ljust(6, "0"))
    clock = (int(match["hour"]), int(match["minute"]), int(match["second"]), micro)
    return datetime(day.year, day.month, day.day, *clock, tzinfo=_zone(match["zone"]))


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    hours, _, minutes = text[1:].partition(":")
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-offset if text[0] == "-" else offset)
