"""The output that is a file of lines: opened anew, or continued where an earlier run ended.

Invariant: the file is the only truth of what is done. One process writes it at a time. The lines in it are numbered
from 1 without a gap; what stands behind the last line end is the torn line of a run that was killed, and is cut.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from wfctl.bulk.failures import derive_failures
from wfctl.bulk.lines import FIRST_ERROR, NUMBERED
from wfctl.bulk.sink import LineSink, not_written
from wfctl.errors import WfctlError
from wfctl.file_lock import is_held_now

FLUSH_S = 0.2
_BLOCK = 1024 * 1024


class TakenOutputError(WfctlError):
    """An output exists, belongs to another run, or is being written by another process."""

    code = "output-taken"


class LineFile:
    """The file, held for as long as this is open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.charter_path = path.with_name(f"{path.stem}.run.json")
        self.failures_path = path.with_name(f"{path.stem}.errors{path.suffix}")
        self.done = 0
        """Inputs that have a line already."""
        self.failed = 0
        self._descriptor = -1

    def __repr__(self) -> str:
        return f"LineFile({str(self.path)!r}, {self.done} done)"

    @property
    def own_paths(self) -> tuple[Path, ...]:
        """What the run writes, and must not read."""
        return self.path, self.charter_path, self.failures_path

    def exists(self) -> bool:
        """Whether there is something that a new run would overwrite."""
        try:
            return self.path.stat().st_size > 0
        except OSError:
            return False

    def begin(self) -> LineSink:
        """Open the file without a line in it."""
        self._hold()
        os.ftruncate(self._descriptor, 0)
        self.failures_path.unlink(missing_ok=True)
        return self._sink()

    def resume(self) -> None:
        """Hold the file, count its lines and cut what is torn; raises ``TakenOutputError`` for lines of others."""
        self._hold()
        whole = self.look()
        if whole != self.path.stat().st_size:
            os.ftruncate(self._descriptor, whole)
        os.lseek(self._descriptor, 0, os.SEEK_END)

    def look(self) -> int:
        """Count the lines and return the end of the last whole one."""
        whole = self.done = self.failed = 0
        for number, status, end in numbered_lines(self.path):
            if number != self.done + 1:
                raise TakenOutputError(
                    f'line {self.done + 1} of "{self.path}" is not the line of input {self.done + 1}',
                    hint="it was changed since, or is no output of a bulk run; --overwrite starts anew",
                )
            self.done = number
            self.failed += status >= FIRST_ERROR
            whole = end
        return whole

    def go_on(self) -> LineSink:
        """Return the output of the run that goes on behind the last whole line."""
        return self._sink()

    def skips(self, number: int, stem: str) -> bool:
        """Whether an input has its line already."""
        del stem
        return number <= self.done

    def derive_failures(self) -> int:
        """Write the lines of the failed inputs to the side file and return how many there are."""
        with self.path.open("rb") as lines:
            return derive_failures(lines, self.failures_path)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _sink(self) -> LineSink:
        return LineSink(os.dup(self._descriptor), str(self.path), flush_s=FLUSH_S)

    def _hold(self) -> None:
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise not_written(self.path, error) from error
        if not is_held_now(self._descriptor):
            raise TakenOutputError(f'another run is writing "{self.path}" now')


def numbered_lines(path: Path) -> Iterator[tuple[int, int, int]]:
    """Yield number, status and end of every whole line; ``(0, 0, 0)`` for one that is not ours."""
    end = 0
    begun = b""
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            *lines, rest = block.split(b"\n")
            for line in lines:
                # Only the beginning of a line is kept; the rest of it may be large.
                end += len(line) + 1
                start = NUMBERED.match(begun + line if begun else line)
                yield (int(start[1]), int(start[2]), end) if start else (0, 0, 0)
                begun = b""
            end += len(rest)
            begun = (begun + rest)[:_HEAD]


_HEAD = 128
"""More bytes than number and status take."""
