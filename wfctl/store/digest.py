"""SHA-256 of files, streamed.

Invariant: memory does not grow with the file.
"""

from pathlib import Path

from wfctl.errors import UnreadableInputError
from wfctl.plain_file import only_plain


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hexadecimal digits."""
    import hashlib  # only where a digest is pinned; it brings OpenSSL

    try:
        with open(path, "rb", opener=only_plain) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{path}": {error.strerror}') from error
