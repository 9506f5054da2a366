"""A plan becomes a zip file: the same plan and the same bytes give the same archive, anywhere and any day.

Invariant: the target appears whole or not at all; no member carries a date, an owner or a mode of this machine.
"""

import os
import secrets
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from wfctl.archive.plan import ArchivePlan, PlannedMember
from wfctl.errors import ArchiveError, UnreadableInputError
from wfctl.plain_file import only_plain

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = stat.S_IFREG | 0o644
_UNIX: Final = 3
_CHUNK: Final = 1 << 20
# One level for good: zlib's default may change.
_LEVEL: Final = 6


def write_archive(target: Path, plan: ArchivePlan, *, compress: bool = False, overwrite: bool = False) -> None:
    """Write ``plan`` to ``target`` by way of a hidden file beside it.

    Members are stored unless ``compress`` is set; compressed bytes may differ between versions of zlib.
    """
    refuse_existing(target, overwrite=overwrite)
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with beside(target) as stream, zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
        for member in plan.members:
            _write_member(archive, member, method)


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Raise ``ArchiveError`` if a file may not be written at ``target``."""
    if os.path.isdir(target):  # noqa: PTH112 - not Path.is_dir, which raises for a name that is too long
        raise ArchiveError(f'"{target}" is a folder', hint="remove it, or choose another name")
    if os.path.exists(target) and not overwrite:  # noqa: PTH110 - for the same reason
        raise ArchiveError(f'"{target}" already exists', hint="overwrite it with --force/-f")


@contextmanager
def beside(target: Path) -> Iterator[IO[bytes]]:
    """Open a hidden file that becomes ``target`` if the block ends well, and vanishes if not."""
    # Not all of the name: it may be as long as names can be.
    partial = target.with_name(f".{target.name[:32]}.{secrets.token_hex(6)}.part")
    try:
        # Plain open, not mkstemp: the archive gets the mode that the user's umask gives any new file.
        with partial.open("xb") as stream:
            yield stream
        partial.replace(target)
    except OSError as error:
        raise ArchiveError(f'cannot write "{target}": {error.strerror or error}') from error
    finally:
        partial.unlink(missing_ok=True)


def _write_member(archive: zipfile.ZipFile, member: PlannedMember, method: int) -> None:
    header = zipfile.ZipInfo(member.name, _EPOCH)
    header.create_system = _UNIX
    header.external_attr = _MODE << 16
    header.compress_type = method
    header._compresslevel = _LEVEL  # type: ignore[attr-defined]  # noqa: SLF001 - public only from Python 3.13 on
    header.file_size = member.size
    with archive.open(header, "w") as sink:
        for chunk in content_of(member):
            sink.write(chunk)


def content_of(member: PlannedMember) -> Iterator[bytes]:
    """Yield the bytes of a member; raise ``ArchiveError`` if they are not as many as were planned."""
    written = 0
    with _open_source(member) as source:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            yield chunk
    if written != member.size:
        raise ArchiveError(f'"{member.source!s}" changed while it was packed', member=member.name)


def _open_source(member: PlannedMember) -> IO[bytes]:
    if isinstance(member.source, bytes):
        return BytesIO(member.source)
    try:
        return open(member.source, "rb", opener=only_plain)
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{member.source}": {error.strerror or error}') from error
