"""The output that is a folder: one file for each input, whole or not there.

A file is called as its input is, with the ending that its content tells; that of a failure ends in ``.error.json``.
Invariant: what has a file in the folder is done, and nothing else is; a file is written under a name of its own and
renamed. One process writes the folder at a time.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from wfctl.bulk.failures import derive_failures
from wfctl.bulk.item import Item
from wfctl.bulk.line_file import FLUSH_S, TakenOutputError
from wfctl.bulk.lines import error_line, told, told_error, told_fault
from wfctl.bulk.sink import PART, Record, not_written, part_of
from wfctl.engine.core.outcome import RunResult
from wfctl.errors import WfctlError
from wfctl.file_lock import is_held_now

RUN_FILE = ".wfctl-run.json"
"""Name of the side-car inside the folder."""
FAILURES = "errors.jsonl"
"""Name of the side file of failures; no answer's file ends like that."""
_FAILED = ".error.json"
_FAILED_STEM = _FAILED.removesuffix(".json")
_BY_TYPE = {
    "text/html": ".html",
    "text/csv": ".csv",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/svg+xml": ".svg",
    "audio/wav": ".wav",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
}
_ENDINGS = (".json", _FAILED, ".txt", ".bin", *_BY_TYPE.values())
_LONGEST = 200
"""Bytes of a file's name without what is put around it; file systems take 255."""


class _FileRecord:
    """A file to be written; for a failure also its line."""

    __slots__ = ("content", "ending", "stem")

    def __init__(self, stem: str, ending: str, content: bytes) -> None:
        self.stem = stem
        self.ending = ending
        self.content = content

    def __len__(self) -> int:
        return len(self.content)


class FolderSink:
    """Writes files below a folder."""

    flush_s = FLUSH_S

    def __init__(self, folder: Path, *, replaces: bool) -> None:
        self._folder = folder
        self._replaces = replaces
        """Whether files of an earlier run may lie there, under another ending."""
        self._made: str | None = None

    def answered(self, item: Item, result: RunResult) -> _FileRecord:
        """Make the file of an input that was answered."""
        content_type = (result.content_type or "").partition(";")[0].strip().lower()
        ending = (
            _BY_TYPE.get(content_type)
            or {"json": ".json", "text": ".txt", "bytes": ".bin"}[told(result.body, result.content_type).kind]
        )
        return _FileRecord(item.stem, ending, result.body)

    def failed(self, item: Item, error: WfctlError | str) -> _FileRecord:
        """Make the file of an input that failed: the line that it would have in a file of lines."""
        status, words = told_fault(error) if isinstance(error, str) else told_error(error)
        return _FileRecord(item.stem, _FAILED, error_line(item, status, words))

    def write(self, records: Sequence[Record]) -> None:
        """Write files, each under another name first."""
        for record in records:
            if isinstance(record, _FileRecord):
                try:
                    self._write(record)
                except OSError as error:
                    raise not_written(self._folder / (record.stem + record.ending), error) from error

    def _write(self, record: _FileRecord) -> None:
        parent, name = placed(record.stem)
        folder = os.path.join(self._folder, parent)  # noqa: PTH118 - here and below: once for each of millions
        if parent != self._made:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            self._made = parent
        part = os.path.join(folder, f".{name}{PART}")  # noqa: PTH118
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            rest = memoryview(record.content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
        if self._replaces:
            for ending in _ENDINGS:
                if ending != record.ending and os.path.exists(os.path.join(folder, name + ending)):  # noqa: PTH110, PTH118
                    os.unlink(os.path.join(folder, name + ending))  # noqa: PTH108, PTH118
        os.replace(part, os.path.join(folder, name + record.ending))  # noqa: PTH105, PTH118

    def close(self) -> None:
        """Nothing is open between two writes."""


class AnswerFolder:
    """The folder, held for as long as this is open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.charter_path = path / RUN_FILE
        self.failures_path = path / FAILURES
        self.done = 0
        """Inputs that were met and have a file already."""
        self.failed = 0
        self._descriptor = -1
        self._begun_ns = 0
        """When the run began that goes on: what is older is no answer of it."""

    def __repr__(self) -> str:
        return f"AnswerFolder({str(self.path)!r}, {self.done} done)"

    @property
    def own_paths(self) -> tuple[Path, ...]:
        """What the run writes, and must not read."""
        return (self.path,)

    def exists(self) -> bool:
        """Whether there is something that a new run could overwrite."""
        # A run that was killed while it wrote what it is about has written nothing else.
        own = {RUN_FILE, part_of(self.charter_path).name}
        try:
            return any(name not in own for name in os.listdir(self.path))  # noqa: PTH208
        except OSError:
            return False

    def begin(self) -> FolderSink:
        """Make the folder and hold it."""
        replaces = self.exists()
        self._hold()
        self.failures_path.unlink(missing_ok=True)
        return FolderSink(self.path, replaces=replaces)

    def resume(self) -> None:
        """Hold the folder of the run that goes on."""
        self._hold()
        self.look()

    def look(self) -> int:
        """Learn when the run began; how much is done is seen input by input."""
        self._begun_ns = self.charter_path.stat().st_mtime_ns
        return 0

    def go_on(self) -> FolderSink:
        """Return the output of the run that goes on."""
        return FolderSink(self.path, replaces=True)

    def skips(self, number: int, stem: str) -> bool:
        """Whether an input has its file already; asked once for each input."""
        del number
        ending = self._ending_of(stem)
        if ending is None:
            return False
        self.done += 1
        self.failed += ending == _FAILED
        return True

    def _ending_of(self, stem: str) -> str | None:
        path = os.path.join(self.path, *placed(stem))  # noqa: PTH118
        return next((ending for ending in _ENDINGS if self._is_ours(path + ending)), None)

    def _is_ours(self, path: str) -> bool:
        try:
            return os.stat(path).st_mtime_ns >= self._begun_ns  # noqa: PTH116
        except OSError:
            return False

    def derive_failures(self) -> int:
        """Write the lines of all failed inputs to one file; remove temporary files of a run that was killed."""
        return derive_failures(self._failed_lines(), self.path / FAILURES)

    def _failed_lines(self) -> Iterator[bytes]:
        with suppress(OSError):  # a run on a stream has no side-car
            self.look()
        for folder, below, names in os.walk(self.path):
            below.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if name.startswith(".") and name.endswith(PART) and name != part_of(self.failures_path).name:
                    path.unlink(missing_ok=True)
                elif name.endswith(_FAILED) and self._is_ours(str(path)):
                    yield path.read_bytes()

    def close(self) -> None:
        """Let go of the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _hold(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise not_written(self.path, error) from error
        if not is_held_now(self._descriptor):
            raise TakenOutputError(f'another run is writing "{self.path}" now')


def placed(stem: str) -> tuple[str, str]:
    """Return folder and name for a stem.

    A name that is too long for the disk is cut and told apart by its hash. So is one whose answer would be called like
    the failure of another input: "x.error" beside "x".
    """
    parent, _, name = stem.rpartition("/")
    raw = os.fsencode(name)
    if len(raw) <= _LONGEST and not name.endswith(_FAILED_STEM):
        return parent, name
    import hashlib  # only where one is like that

    return parent, f"{os.fsdecode(raw[:100])}-{hashlib.sha256(raw).hexdigest()[:16]}"
