"""SHA-256 of files, streamed.

Invariant: memory does not grow with the file.
"""

import os
import stat
from pathlib import Path

from wfctl.errors import UnreadableInputError


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hexadecimal digits."""
    import hashlib  # only where a digest is pinned; it brings OpenSSL

    try:
        with open(path, "rb", opener=_only_files) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{path}": {error.strerror}') from error


def _only_files(path: str, flags: int) -> int:
    # Without O_NONBLOCK the opening of a pipe would wait for a writer for ever.
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is no plain file")
    return descriptor
