"""What there is to read, before anything is read: how much, and a digest by which it is known again.

Invariant: memory does not grow with the inputs. A digest covers the whole content up to ``WHOLE_BYTES`` a file; of a
larger file its size, the time of its last change, and pieces from its beginning to its end. Of files that are one
input each it covers names, sizes and times: reading all of them once more would cost as much as the run.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from wfctl.bulk.blocks import unreadable
from wfctl.bulk.inputs import InputFile, Inputs
from wfctl.bulk.item import Form
from wfctl.errors import UnreadableInputError

WHOLE_BYTES = 2**30
_PIECE = 2**20
_PIECES = 64
_DIGEST = "sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How much there is."""

    files: int
    total_bytes: int
    count: int | None
    """Inputs, where that is known without reading: each file is one."""
    digest: str | None
    """``None`` where none was asked for, or what is read comes only once."""


def survey(inputs: Inputs, *, wants_digest: bool, wants_unique_stems: bool) -> Survey:
    """Look at every file that will be read.

    Raises ``UnreadableInputError`` for a word that names nothing, a device without an end, or, where each input gets
    a file of its own, one file that is named twice or called like the number of a record.
    """
    files = total = whole = 0
    digest = hashlib.new(_DIGEST) if wants_digest and not inputs.is_stream else None
    numbered: InputFile | None = None
    seen: set[str] | None = set() if wants_unique_stems and len(inputs.words) > 1 else None
    for file in inputs.files():
        found = _stat(file)
        files += 1
        total += 0 if found is None else found.st_size
        whole += file.form is Form.WHOLE
        if file.form is Form.WHOLE and file.stem.isdecimal():
            numbered = file
        if seen is not None:
            _refuse_twice(file, seen)
        if digest is not None and file.path is not None:
            digest.update(f"{file.stem}\0{file.form.value}\0{_mark(file, found)}\0".encode("utf-8", "surrogateescape"))
    count = whole if whole == files else None
    if wants_unique_stems and numbered is not None and count is None:
        raise UnreadableInputError(
            f'the answer of "{numbered.name}" could be called like that of a record, which has its number for a name',
            hint="write to a .jsonl file",
        )
    return Survey(
        files=files, total_bytes=total, count=count, digest=f"{_DIGEST}:{digest.hexdigest()}" if digest else None
    )


def _mark(file: InputFile, found: os.stat_result | None) -> str:
    """Return what a file is known by; one that cannot be read is known as such, for it has a number too."""
    if found is None or file.path is None:
        return "unreadable"
    if file.form is Form.WHOLE:
        return f"{found.st_size}\0{found.st_mtime_ns}"
    try:
        return f"{found.st_size}\0{digest_of_file(file.path)}"
    except UnreadableInputError:
        return "unreadable"


def _stat(file: InputFile) -> os.stat_result | None:
    if file.path is None:
        return None
    try:
        found = file.path.stat()
    except OSError:
        return None  # it becomes an input that failed
    if stat.S_ISCHR(found.st_mode) and not file.path.samefile("/dev/stdin"):
        raise UnreadableInputError(
            f'"{file.path}" is a device, which has no end', hint="INPUT is a file, a folder or a pipe"
        )
    return found


def _refuse_twice(file: InputFile, seen: set[str]) -> None:
    if file.form is not Form.WHOLE:
        return
    if file.stem in seen:
        raise UnreadableInputError(
            f'"{file.name}" is named twice, and each input gets one file of that name', hint="write to a .jsonl file"
        )
    seen.add(file.stem)


def digest_of_file(path: Path) -> str:
    """Return a digest of a file: of all its bytes, or for a very large one of pieces, size and time of change."""
    try:
        with path.open("rb") as stream:
            found = os.fstat(stream.fileno())
            if found.st_size <= WHOLE_BYTES:
                return hashlib.file_digest(stream, _DIGEST).hexdigest()
            digest = hashlib.new(_DIGEST, f"{found.st_size}\0{found.st_mtime_ns}".encode())
            for piece in range(_PIECES):
                stream.seek((found.st_size - _PIECE) * piece // (_PIECES - 1))
                digest.update(stream.read(_PIECE))
            return digest.hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error
