"""The inputs of a bulk run, one small list after another.

Made for a thread that reads ahead: ``chunks`` blocks where a disk or a pipe does. Invariant: numbers have no gap,
and the same inputs get the same numbers in every run; a file is opened when its turn comes and closed behind it.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

from wfctl.bulk.blocks import BOM, Lines, StopReading, open_blocks, unreadable
from wfctl.bulk.inputs import InputFile, Inputs
from wfctl.bulk.item import Form, Item, Skips
from wfctl.bulk.records import Chunk, element_items, line_items, row_items
from wfctl.errors import UnreadableInputError
from wfctl.service.inputs import JSON_TYPE, guess, sniff

MAX_FILE = 2**30
"""Bytes of a file that is one input; what travels to a worker has an end."""


class Reading:
    """Reads the inputs once, from the first one that is not done to ``limit``."""

    def __init__(self, inputs: Inputs, *, skips: Skips | None = None, limit: int | None = None) -> None:
        self._inputs = inputs
        self._skips = skips
        self._limit = limit
        self._names_records = not inputs.has_one_file
        self._number = 0
        self._before = 0
        self._file: InputFile | None = None
        self._stop = StopReading()
        self._begun: Generator[list[Item], None, None] | None = None

    @property
    def number(self) -> int:
        """Inputs that were met so far, those that were left out included."""
        return self._number

    def stop(self) -> None:
        """End the wait for a stream."""
        self._stop.set()

    def close(self) -> None:
        """Close what is open, unless a thread still hangs on it."""
        if self._begun is not None:
            try:
                self._begun.close()
            except ValueError:
                return
        self._stop.close()

    def chunks(self) -> Iterator[list[Item]]:
        """Return the inputs in order; asked for once."""
        self._begun = self._chunks()
        return self._begun

    def _chunks(self) -> Generator[list[Item], None, None]:
        for items in self._all():
            if self._limit is not None and self._number >= self._limit:
                if within := [item for item in items if item.number <= self._limit]:
                    yield within
                return
            yield items

    def _all(self) -> Iterator[list[Item]]:
        whole = Chunk()
        for file in self._inputs.files():
            self._file = file
            if file.form is not Form.WHOLE:
                if whole.items:
                    yield whole.take()
                yield from self._records(file)
                continue
            whole.add(self._whole(file))
            is_last = self._limit is not None and self._number >= self._limit
            if whole.is_due(is_drained=is_last):
                yield whole.take()
        if whole.items:
            yield whole.take()

    # Inputs inside a file

    def _records(self, file: InputFile) -> Iterator[list[Item]]:
        try:
            yield from self._items_of(file)
        except UnreadableInputError as error:
            if not self._names_records:
                raise
            # One broken file among many is one failed input.
            item = self.record(0, 0, None, error.message)
            if item is not None:
                yield [item]
        self._before += _size_of(file.path)

    def _items_of(self, file: InputFile) -> Iterator[list[Item]]:
        blocks = open_blocks(file.path, self._stop)
        match file.form:
            case Form.LINES:
                yield from line_items(Lines(blocks), self)
            case Form.ROWS:
                yield from row_items(Lines(blocks), self, file.name)
            case _:
                yield from element_items(blocks, self, file.name)

    def record(
        self, place: int, position: int, body: bytes | None, fault: str | None = None, *, is_checked: bool = True
    ) -> Item | None:
        """Return the next record as an item, ``None`` if it is done already."""
        self._number = number = self._number + 1
        if self._skips is not None and self._skips(number, _numbered(number)):
            return None
        name = None
        if self._names_records and self._file is not None:
            name = f"{self._file.name}:{place}" if place else self._file.name
        if fault is not None:
            body = None
        text = None if is_checked else place
        return Item(number, name, _numbered(number), self._before + position, body, JSON_TYPE, fault, text)

    # Files that are one input

    def _whole(self, file: InputFile) -> Item | None:
        self._number = number = self._number + 1
        if self._skips is not None and self._skips(number, file.stem):
            self._before += _size_of(file.path)
            return None
        try:
            body, fault = self._read(file), None
        except UnreadableInputError as error:
            body, fault = b"", error.message
        self._before += len(body)
        content_type = self._inputs.content_type or (sniff(body) if file.path is None else guess(file.name))
        text = None
        if fault is None and self._inputs.content_type is None and content_type == JSON_TYPE:
            body, text = body.removeprefix(BOM), file.name
        return Item(number, file.name, file.stem, self._before, None if fault else body, content_type, fault, text)

    def _read(self, file: InputFile) -> bytes:
        if file.path is not None and _size_of(file.path) <= MAX_FILE and file.path.is_file():
            return _read_at_once(file.path)
        pieces: list[bytes] = []
        size = 0
        for block in open_blocks(file.path, self._stop):
            size += len(block)
            if size > MAX_FILE:
                raise UnreadableInputError(f'"{file.name}" is larger than {MAX_FILE // 2**30} GiB')
            pieces.append(block)
        return b"".join(pieces)


def _read_at_once(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def _numbered(number: int) -> str:
    return f"{number:06d}"


def _size_of(path: Path | None) -> int:
    try:
        return 0 if path is None else os.stat(path).st_size  # noqa: PTH116 - once for each of millions
    except OSError:
        return 0
