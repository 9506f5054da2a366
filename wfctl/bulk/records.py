"""Inputs inside one file: lines, rows, elements of an array.

Each reader yields small lists of items as soon as there are some, and makes a failed item of what it cannot read.
Invariant: memory does not grow with the file; bodies are the bytes of the file, but for rows, which become JSON.
"""

import codecs
import csv
import json
import re
from collections.abc import Iterator
from json.decoder import JSONDecodeError
from typing import Protocol

from wfctl.bulk.blocks import MAX_LINE, Blocks, Lines, TooLongError
from wfctl.bulk.item import Item
from wfctl.errors import UnreadableInputError

CHUNK = 256
"""Items that are handed on together, at most."""
_CHUNK_BYTES = 1024 * 1024

_scan = json.JSONDecoder().raw_decode
_NUMERIC = re.compile(r"[0-9.eE+-]*")
_SPACE = re.compile(r"[ \t\r\n]*")
_NO_ELEMENT = re.compile(r"[ \t\r\n,]*\Z")


class Numbering(Protocol):
    """Makes items of one file: numbers them, and leaves out those that are done."""

    def record(
        self, place: int, position: int, body: bytes | None, fault: str | None = None, *, is_checked: bool = True
    ) -> Item | None:
        """Return the next item, ``None`` if it is done already; ``place`` says where in the file it stands.

        One that is not ``is_checked`` is a line of text that may or may not be JSON.
        """


class Chunk:
    """Items that will be handed on together."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._size = 0

    def add(self, item: Item | None) -> None:
        """Take an item, ``None`` for one that is left out."""
        if item is not None:
            self.items.append(item)
            self._size += item.size

    def is_due(self, *, is_drained: bool) -> bool:
        """Whether it goes on now: it is full, or the next item may have to be waited for."""
        return bool(self.items) and (is_drained or len(self.items) >= CHUNK or self._size >= _CHUNK_BYTES)

    def take(self) -> list[Item]:
        """Return the items and begin anew."""
        items, self.items, self._size = self.items, [], 0
        return items


def line_items(lines: Lines, numbering: Numbering) -> Iterator[list[Item]]:
    """Make an item of every line that is not empty."""
    chunk = Chunk()
    for line in lines:
        if line is None:
            item = numbering.record(lines.number, lines.position, None, too_long("line", lines.number))
        elif not line or line.isspace():
            item = None
        else:
            item = numbering.record(lines.number, lines.position, line.rstrip(b"\r"), is_checked=False)
        chunk.add(item)
        if chunk.is_due(is_drained=lines.is_drained):
            yield chunk.take()
    if chunk.items:
        yield chunk.take()


def too_long(what: str, number: int) -> str:
    """Return the fault of what is too long."""
    return f"{what} {number} is longer than {MAX_LINE // 2**20} MiB"


class _RowLines:
    """Lines as the reader of rows wants them; it goes on behind one that is too long."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __iter__(self) -> "_RowLines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if line is None:
            raise TooLongError(too_long("line", self._lines.number))
        return line.decode("utf-8", "surrogateescape") + "\n"


def row_items(lines: Lines, numbering: Numbering, name: str) -> Iterator[list[Item]]:
    """Make a JSON object of every row that is not empty, its keys from the header, its values text."""
    csv.field_size_limit(MAX_LINE)
    rows = csv.reader(_RowLines(lines), strict=True)
    header = _header(rows, name)
    chunk = Chunk()
    while True:
        body, fault, first = None, None, lines.number + 1
        try:
            row = next(rows, None)
            if row is None:
                break
            if row:
                body, fault = _row_object(header, row)
        except (csv.Error, TooLongError) as error:
            row, fault = [""], _row_fault(error)
        item = numbering.record(first, lines.position, body, fault and f"row at line {first}: {fault}") if row else None
        chunk.add(item)
        if chunk.is_due(is_drained=lines.is_drained):
            yield chunk.take()
    if chunk.items:
        yield chunk.take()


def _header(rows: Iterator[list[str]], name: str) -> list[str]:
    try:
        header = next((row for row in rows if row), None)
    except (csv.Error, TooLongError) as error:
        raise UnreadableInputError(f'the header row of "{name}" cannot be read: {_row_fault(error)}') from error
    if header is None:
        raise UnreadableInputError(f'"{name}" has no header row', hint="its first row names the columns")
    if _is_no_utf8("".join(header)):
        raise UnreadableInputError(f'the header row of "{name}" is not UTF-8', hint="convert the file, with iconv say")
    twice = next((column for column in header if header.count(column) > 1), None)
    if twice is not None:
        raise UnreadableInputError(f'the header row of "{name}" names the column "{twice}" twice')
    return header


def _is_no_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _row_fault(error: Exception) -> str:
    match str(error):
        case message if "new-line character" in message:
            return "a carriage return stands in it that ends no line"
        case message if "field larger" in message:
            return f"a field is longer than {MAX_LINE // 2**20} MiB; is a quotation mark not closed?"
        case "unexpected end of data":
            return "the file ends inside a quoted field"
        case message:
            return message


def _row_object(header: list[str], row: list[str]) -> tuple[bytes | None, str | None]:
    if len(row) != len(header):
        return None, f"it has {len(row)} fields, and the header names {len(header)}"
    try:
        return json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False).encode(), None
    except UnicodeEncodeError:
        return None, "it is not UTF-8"


class _Text:
    """Decoded text of which the front is thrown away."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_over = False
        self.buffer = ""
        self.at = 0

    @property
    def is_drained(self) -> bool:
        """Whether the next element may have to be waited for."""
        return _NO_ELEMENT.match(self.buffer, self.at) is not None

    def more(self) -> bool:
        """Read about as much as there is left, so that long elements are not looked at again and again."""
        self.buffer, self.at = self.buffer[self.at :], 0
        wanted = 2 * len(self.buffer) + 1
        if len(self.buffer) > MAX_LINE:
            raise TooLongError(f"it is longer than {MAX_LINE // 2**20} MiB")
        before = len(self.buffer)
        while not self._is_over and len(self.buffer) < wanted:
            block = next(self._blocks, None)
            self._is_over = block is None
            self.buffer += self._decoder.decode(block or b"", final=self._is_over)
        return len(self.buffer) > before

    def next_char(self) -> str:
        """Return the next character that is no space, ``""`` at the end."""
        while True:
            space = _SPACE.match(self.buffer, self.at)
            self.at = self.at if space is None else space.end()
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more():
                return ""

    def value(self) -> str:
        """Return the text of the JSON value that begins here; raises ``ValueError``."""
        while True:
            try:
                _, end = _scan(self.buffer, self.at)
            except JSONDecodeError:
                if not self.more():
                    raise
            else:
                if not self._may_go_on(end) or not self.more():
                    begin, self.at = self.at, end
                    return self.buffer[begin:end]

    def _may_go_on(self, end: int) -> bool:
        """Whether a number that seems to end there goes on behind the block: ``0`` of ``0.5``, ``1`` of ``1e9``."""
        rest = _NUMERIC.match(self.buffer, end)
        return rest is None or rest.end() == len(self.buffer)


def element_items(blocks: Blocks, numbering: Numbering, name: str) -> Iterator[list[Item]]:
    """Make an item of every element of the array that the whole text is."""
    text = _Text(blocks)
    place = position = 0
    chunk = Chunk()
    try:
        first = text.next_char()
    except (ValueError, TooLongError):
        first = ""
    if first != "[":
        raise UnreadableInputError(f'"{name}" is no JSON array', hint="--each runs on the elements of an array")
    text.at += 1
    while True:
        place += 1
        body, fault = _element(text, place)
        if body is None and fault is None:
            break
        position += len(body or b"") + 1
        item = numbering.record(place, position, body, fault and f"element {place} is not JSON: {fault}")
        chunk.add(item)
        if fault is not None:
            break
        if chunk.is_due(is_drained=text.is_drained):
            yield chunk.take()
    if chunk.items:
        yield chunk.take()


def _element(text: _Text, place: int) -> tuple[bytes | None, str | None]:
    """Return the next element, or why nothing more can be read, or neither at the end of the array."""
    try:
        char = text.next_char()
        if char == "]":
            _expect_end(text)
            return None, None
        if place > 1:
            _pass_comma(text, char)
        return text.value().encode(), None
    except (ValueError, RecursionError, TooLongError) as error:
        return None, f"{_reason(error)}; nothing behind it can be read"


def _expect_end(text: _Text) -> None:
    text.at += 1
    if text.next_char():
        raise ValueError("something stands behind the end of the array")


def _pass_comma(text: _Text, char: str) -> None:
    if char != ",":
        raise ValueError("a comma or the end of the array should stand before it")
    text.at += 1
    text.next_char()


def _reason(error: Exception) -> str:
    match error:
        case RecursionError():
            return "it is nested too deep"
        case UnicodeDecodeError():
            return "it is not UTF-8"
        case JSONDecodeError():
            return error.msg
        case _:
            return str(error)
