"""Where answers go: a file of lines, a folder of files, or a stream; one interface for the three.

Invariant: records are made on the event loop and touch no disk; they are written in input order, many at once, in
a thread. What is written is whole, whenever the process dies: a line that lacks its end, or a temporary file, is no
answer.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from wfctl.bulk.item import Item
from wfctl.bulk.lines import answer_line, error_line, told_error, told_fault
from wfctl.engine.core.outcome import RunResult
from wfctl.errors import Blame, WfctlError

PART = ".part"
"""Ending of a file that is not yet whole."""


class NotWrittenError(WfctlError):
    """An output takes no more: the disk is full, say."""

    code = "output-failed"
    blame = Blame.SYSTEM


class Record(Protocol):
    """What stands for one input in the output."""

    def __len__(self) -> int:
        """Return the bytes that it holds in memory."""


class Sink(Protocol):
    """An output."""

    flush_s: float
    """Seconds that an answer may wait to be written together with others."""

    def answered(self, item: Item, result: RunResult) -> Record:
        """Make the record of an input that was answered."""

    def failed(self, item: Item, error: WfctlError | str) -> Record:
        """Make the record of an input that a node failed, or that could not be sent."""

    def write(self, records: Sequence[Record]) -> None:
        """Write records; called in a thread, one call at a time. Raises ``NotWrittenError``."""

    def close(self) -> None:
        """Let go of the output."""


Shown = Callable[[bytes], bytes]
"""Makes lines harmless where a person reads them."""


class LineSink:
    """Lines of JSON on an open file or stream."""

    def __init__(self, descriptor: int, name: str, *, flush_s: float, shown: Shown | None = None) -> None:
        self._descriptor = descriptor
        self._name = name
        self._shown = shown
        self.flush_s = flush_s

    def answered(self, item: Item, result: RunResult) -> bytes:
        """Make the line of an input that was answered."""
        return answer_line(item, result)

    def failed(self, item: Item, error: WfctlError | str) -> bytes:
        """Make the line of an input that failed."""
        return error_line(item, *(told_fault(error) if isinstance(error, str) else told_error(error)))

    def write(self, records: Sequence[Record]) -> None:
        """Write lines; a reader who left is no failure of ours and passes as ``BrokenPipeError``."""
        lines = b"".join(record for record in records if isinstance(record, bytes))
        rest = memoryview(lines if self._shown is None else self._shown(lines))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise not_written(self._name, error) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def part_of(path: Path) -> Path:
    """Return where a file is written before it gets its name."""
    return path.with_name(f".{path.name}{PART}")


def not_written(name: str | Path, error: OSError) -> NotWrittenError:
    """Return the error for an output that the system does not take."""
    return NotWrittenError(f'"{name}" cannot be written: {(error.strerror or str(error)).lower()}')
