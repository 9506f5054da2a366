"""Characters before YAML: size, encoding, and what hides in a text.

Invariant: looks at characters only; what they mean is for ``source`` and the floors above it.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, SourceText

MAX_BYTES = 4 * 1024 * 1024
"""A spec of 10,000 nodes with all settings has 2 MB. Whoever reads a file needs one byte more, never all of it."""

_BOM = "\ufeff"
_NOT_YAML = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_NOT_YAML_IN_ASCII = "[^\t\n\r\x20-\x7e]"
"""The same for most texts; the patterns are compiled on first use, for the wide one costs milliseconds."""
_BIDIRECTIONAL = "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_MOST = 20
"""Findings of one kind listed; a binary file would give thousands."""


def read_spec_text(raw: bytes, name: str) -> SourceText | Diagnostic:
    """Decode UTF-8, a byte order mark kept; a finding where the bytes are too many or no UTF-8.

    ``raw`` may be cut after ``MAX_BYTES + 1``: nothing beyond is looked at.
    """
    if len(raw) > MAX_BYTES:
        return _too_large(SourceText(name, ""))
    try:
        return SourceText(name, raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return _undecodable(raw, error.start, name)


def _undecodable(raw: bytes, offset: int, name: str) -> Diagnostic:
    before = SourceText(name, raw[:offset].decode("utf-8"))
    utf16 = raw.startswith(_UTF16_BOMS) or b"\0" in raw[:4]
    return find(
        "WF101",
        "the file is UTF-16, and must be UTF-8" if utf16 else f"byte 0x{raw[offset]:02x} is not UTF-8 text",
        before.span(offset, offset),
        help='save the file as "UTF-8"' if utf16 else "save the file as UTF-8, or look whether it is text at all",
    )


def _too_large(source: SourceText) -> Diagnostic:
    return find(
        "WF107",
        f"the spec is larger than {MAX_BYTES // 1024 // 1024} MB",
        source.span(0, 0),
        help="a spec names archives and edges; keep other data in files of its own",
    )


def unreadable_characters(source: SourceText) -> tuple[Diagnostic, ...]:
    """Return why ``source`` cannot be given to a YAML parser: too large, control characters; or nothing."""
    if len(source.text) > MAX_BYTES:
        return (_too_large(SourceText(source.name, "")),)
    start = first_character(source)
    pattern = re.compile(_NOT_YAML_IN_ASCII if source.text.isascii() else _NOT_YAML)
    found = pattern.finditer(source.text, start)
    return tuple(_control(source, match.start(), match.group()) for match in islice(found, _MOST))


def _control(source: SourceText, offset: int, char: str) -> Diagnostic:
    text = f"control character {_code_point(char)} in the text"
    if char == "\0":
        text += "; UTF-16 has these when read as UTF-8"
    return find("WF111", text, source.span(offset, offset + 1), help="delete it, or write it as an escape in quotes")


def misleading_characters(source: SourceText) -> Iterator[Diagnostic]:
    """Find the characters that make an editor show the text in another order than it is read in."""
    if source.text.isascii():
        return
    for match in islice(re.finditer(_BIDIRECTIONAL, source.text), _MOST):
        char = match.group()
        yield find(
            "WF601",
            f"invisible character {_code_point(char)} ({unicodedata.name(char).lower()})",
            source.span(match.start(), match.end()),
            label="changes the order in which the line is shown",
            help="delete it; what is shown is not what is read",
        )


def _code_point(char: str) -> str:
    return f"U+{ord(char):04X}"


def first_character(source: SourceText) -> int:
    """Return the offset of the first character that is no byte order mark."""
    return 1 if source.text.startswith(_BOM) else 0
