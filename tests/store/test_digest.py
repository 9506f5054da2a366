"""The digest of a file."""

import hashlib
import os

import pytest

from wfctl.errors import UnreadableInputError
from wfctl.store.digest import sha256_of


def test_the_digest_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"x" * 100_000).hexdigest()


@pytest.mark.timeout(10)
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "a")
    with pytest.raises(UnreadableInputError, match="no plain file"):
        sha256_of(tmp_path / "a")
