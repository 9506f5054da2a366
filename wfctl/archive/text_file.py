"""The bytes of one text file, as many as a workflow's texts may have and one more.

Invariant: nothing that is asked for here makes the caller wait for ever or fills its memory.
"""

import os
import stat
from pathlib import Path
from typing import IO

from wfctl.errors import UnreadableInputError
from wfctl.plain_file import without_waiting
from wfctl.spec.text import MAX_BYTES


def read_text_file(path: Path) -> bytes:
    """Return the start of a file; a pipe is taken only where it is open already, as for ``<(command)`` of a shell."""
    try:
        with open(path, "rb", opener=without_waiting) as stream:
            _judge(path, stream)
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{path}": {error.strerror}') from error


def _judge(path: Path, stream: IO[bytes]) -> None:
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return
    if path.parts[1:2] != ("dev",):
        raise UnreadableInputError(f'"{path}" is no plain file')
    os.set_blocking(stream.fileno(), True)
