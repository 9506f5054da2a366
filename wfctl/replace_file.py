"""Writes a file whole or not at all.

Invariant: a failure or Ctrl-C leaves the old file as it was, and nothing beside it. What is no file but a device or
a pipe is written to and never replaced; of a link it is the file behind it that is replaced.
"""

import os
import stat
import tempfile
from pathlib import Path

from wfctl.errors import UnreadableInputError

_PRIVATE = 0o600
"""As ``mkstemp`` makes it: nobody else can open it at any moment."""


def replace_file(target: Path, content: bytes, *, is_durable: bool = False, is_private: bool = False) -> None:
    """Write ``content`` to a temporary file beside ``target``, then move it there.

    With ``is_durable`` it is on the disk when this returns. With ``is_private`` only the owner may ever read it,
    whatever the rights of the file there before, which are kept otherwise.
    """
    if _is_special(target):
        _write_into(target, content)
    else:
        # Messages name a plain target as the user wrote it.
        is_link = os.path.islink(target)  # noqa: PTH114 - Path.is_symlink raises for a name that is too long
        _replace(Path(os.path.realpath(target)) if is_link else target, content, is_durable, is_private)


def _is_special(target: Path) -> bool:
    try:
        mode = target.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _write_into(target: Path, content: bytes) -> None:
    try:
        with target.open("wb", buffering=0) as stream:
            rest = memoryview(content)
            while rest:
                rest = rest[stream.write(rest) :]
    except OSError as failure:
        raise UnreadableInputError(f'cannot write "{target}": {failure.strerror}') from failure


def _replace(target: Path, content: bytes, is_durable: bool, is_private: bool) -> None:
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name[:64]}.", dir=target.parent)
    except OSError as failure:
        raise UnreadableInputError(f'cannot write "{target}": {failure.strerror}') from failure
    temporary = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.chmod(_PRIVATE if is_private else _mode(target))
        temporary.replace(target)
        if is_durable:
            _sync_folder(target.parent)
    except OSError as failure:
        temporary.unlink(missing_ok=True)
        raise UnreadableInputError(f'cannot write "{target}": {failure.strerror}') from failure
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _mode(target: Path) -> int:
    """Return the rights of the file that is replaced, or those that a new file would get."""
    try:
        return target.stat().st_mode & 0o7777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
