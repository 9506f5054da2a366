"""The keys of a server and their file, after TorchServe's token authorization.

Must not know: routes, ports, what a refusal looks like. Invariants: a key leaves this module by the key file only, and
nobody but its owner could ever read that; a key opens what its role says and nothing else; of two keys of one role
only the newer one counts.
"""

import hmac
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from math import inf
from pathlib import Path
from threading import Lock
from typing import Final, Self

from wfctl.errors import WfctlError
from wfctl.plain_file import only_plain

_KEY_BYTES: Final = 32
_LONGEST_MIN: Final = 100 * 366 * 24 * 60
"""A century: what lies beyond it is a slip, and may be a date that cannot be written."""

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_OWNER_ONLY: Final = 0o600

_BEARER = re.compile(r"bearer +([a-z0-9._~+/-]++=*+)", re.IGNORECASE | re.ASCII)
"""One token of RFC 6750; a comma, with which two fields would be joined, is in none."""


class KeyFileError(WfctlError):
    """The keys cannot be kept where they should be, or not for as long."""

    code = "no-key-file"


class Role(StrEnum):
    """What a key opens, by the names of the key file and of ``/token``."""

    MANAGEMENT = "management"
    INFERENCE = "inference"
    API = "API"
    """Nothing but the renewal of the other two; its key lives as long as the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    secret: bytes = field(repr=False)
    expires_at: float


class Keys:
    """The three keys of a running server; made by ``create``, and whoever made them calls ``remove``."""

    def __init__(self, path: Path, *, lifetime_s: float, clock: Callable[[], float]) -> None:
        self._path = path
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._keys: Mapping[Role, _Key] = {}
        """Replaced as a whole, so that who asks meanwhile sees all of it or nothing."""
        self._written = b""
        """What the file holds as long as it is ours."""
        self._lock = Lock()

    @classmethod
    def create(cls, path: Path, *, lifetime_min: float, clock: Callable[[], float] = time.time) -> Self:
        """Make keys and write them to ``path``, over whatever lies there; raises ``KeyFileError``.

        A second server in one folder takes the first one's file over, as in the original; the first one's keys work on.
        ``clock`` tells the time of day, for that is what the file promises.
        """
        if not 0 < lifetime_min <= _LONGEST_MIN:
            raise KeyFileError(f"keys cannot live for {lifetime_min:g} minutes", hint="60 is usual")
        keys = cls(path.absolute(), lifetime_s=lifetime_min * 60, clock=clock)
        keys._replace({role: keys._new_key(role) for role in Role})
        return keys

    def __repr__(self) -> str:
        ends = [f", {role} until {_in_iso(key.expires_at)}" for role, key in self._keys.items() if key.expires_at < inf]
        return f"Keys({str(self._path)!r}{''.join(ends)})"

    def admits(self, role: Role, authorization: str | None) -> bool:
        """Whether a request with that field ``Authorization`` may do what ``role`` says."""
        found = _BEARER.fullmatch(authorization or "")
        given = found[1].encode("ascii") if found else b""
        key = self._keys[role]
        # The one key that can be right is compared in any case, and stands second: that is whose length takes the time.
        is_right = hmac.compare_digest(given, key.secret)
        return is_right and self._clock() < key.expires_at

    def allows_renewal(self, authorization: str | None) -> bool:
        """Whether a request with that field ``Authorization`` may renew keys."""
        return self.admits(Role.API, authorization)

    def renew(self, role: Role) -> None:
        """Put a new key in the place of that for inference or management; it waits for the disk.

        Raises ``KeyFileError``, and then the old key is as good as before: nobody could read the new one.
        """
        if role is Role.API:
            raise ValueError("the key that renews is not renewed")
        with self._lock:
            self._replace({**self._keys, role: self._new_key(role)})

    def remove(self) -> None:
        """Remove the file, unless it is another server's by now; raises ``KeyFileError``."""
        with self._lock, _saying_why(self._path):
            # By content, for the number of a removed file is soon another's. What is put there between these two
            # lines is lost; a server that starts in that moment would have to be started once more.
            if self._is_ours():
                self._path.unlink(missing_ok=True)

    def _is_ours(self) -> bool:
        try:
            with open(self._path, "rb", opener=_only_itself) as file:
                return file.read(len(self._written) + 1) == self._written
        except OSError:
            return False

    def _new_key(self, role: Role) -> _Key:
        secret = secrets.token_urlsafe(_KEY_BYTES).encode("ascii")
        return _Key(secret=secret, expires_at=inf if role is Role.API else self._clock() + self._lifetime_s)

    def _replace(self, keys: Mapping[Role, _Key]) -> None:
        content = _as_json(keys)
        with _saying_why(self._path):
            _write_private(self._path, content)
        self._keys, self._written = keys, content


def _as_json(keys: Mapping[Role, _Key]) -> bytes:
    record: dict[str, dict[str, str]] = {}
    for role, key in keys.items():
        record[role] = {"key": key.secret.decode("ascii")}
        if key.expires_at < inf:
            record[role]["expiration time"] = _in_iso(key.expires_at)
    return json.dumps(record, indent=2).encode("ascii") + b"\n"


def _in_iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write_private(path: Path, content: bytes) -> None:
    """Put a file in place that nobody else can read, not even while it is empty; of a link the link is replaced."""
    with _fit_folder(path.parent) as folder:
        temporary = f".{path.name}.{secrets.token_hex(8)}"
        descriptor = os.open(temporary, _NEW, _OWNER_ONLY, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)  # some disks say only now that they are full, and then the old file has to stay
            os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise


@contextmanager
def _fit_folder(path: Path) -> Iterator[int]:
    """Open a folder, so that the one that is judged is the one that is written to."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        mode = os.fstat(folder).st_mode
        # Who may write into a folder can put another file in the place of ours, unless the folder is sticky. A group is
        # somebody's choice, and many systems make all folders writable for a group of one member.
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise KeyFileError(
                f'everybody may replace files in "{path}", also the file with the keys',
                hint="start the server in a folder of your own, or take the right away: chmod o-w",
            )
        yield folder
    finally:
        os.close(folder)


def _only_itself(path: str, flags: int) -> int:
    return only_plain(path, flags | os.O_NOFOLLOW)


@contextmanager
def _saying_why(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyFileError(f'the keys cannot be kept in "{path}": {(error.strerror or str(error)).lower()}') from error
