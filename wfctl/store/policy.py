"""Under what conditions something is fetched: what is allowed, how much, how long, and where it is kept.

Invariant: values only; names are looked up by a function that is handed in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wfctl.store.allow import NOTHING, AllowList

_GIB = 1 << 30

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port -> addresses as texts, the best first; raises ``OSError``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one download has come."""

    url: str
    """Without what may be secret in it."""
    received: int
    total: int | None
    """``None`` where the server does not say."""
    elapsed_s: float
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """Upper bounds that hold whatever a server says."""

    size: int = 64 * _GIB
    """Bytes of one download."""
    connect_s: float = 15.0
    """For looking the host up, and for connecting to each of its addresses."""
    silence_s: float = 30.0
    """Between two pieces of an answer."""
    whole_s: float = 3600.0
    redirects: int = 5


def look_up(host: str, port: int) -> Sequence[str]:
    """Return the addresses that the system knows for a host."""
    import socket  # only where something is fetched

    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """What a caller allows and wants."""

    allowed: AllowList = NOTHING
    cache: Path | None = None
    """Folder where pinned archives are kept by digest; ``None`` to keep nothing."""
    limits: FetchLimits = field(default_factory=FetchLimits)
    resolve: Resolver = look_up
    authorities: Path | None = None
    """Certificates that servers are trusted by; ``None`` for the system's."""
    on_progress: Callable[[Progress], None] | None = None
    """Called in the thread that fetches."""
