"""Where a server listens: a host and a port, with TLS or without, or a socket in the file system.

Pure. Invariant: nothing is looked up and nothing is opened.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from wfctl.check.host import HostError, address_of, read_host

_PORT: Final = re.compile(r"[0-9]{1,5}")
_LAST_PORT: Final = 65535
_LONGEST_PATH: Final = 107
"""Bytes: what Linux keeps of the path of a socket, without the zero at its end."""
_NO_PART: Final = re.compile(r"[\x00-\x20\x7f/?#@\\]")


class AddressError(ValueError):
    """Why a text is no address to listen at, in words that follow on the text and a colon."""


class Role(StrEnum):
    """What an address is for; it decides the port where none is given."""

    INFERENCE = "inference"
    MANAGEMENT = "management"
    METRICS = "metrics"


_PORTS: Final = {
    Role.INFERENCE: {"http": 80, "https": 443},
    Role.MANAGEMENT: {"http": 8081, "https": 8444},
    Role.METRICS: {"http": 8082, "https": 8445},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address; its text is the same for all ways to write it."""

    scheme: Literal["http", "https", "unix"]
    host: str = ""
    """In lower case, an IPv6 address without brackets; empty for ``unix``."""
    port: int = 0
    """0 for any that is free, and for ``unix``."""
    path: str = ""
    """Of the socket, absolute; only for ``unix``."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can get there: ``127.0.0.0/8``, ``::1``, ``localhost``, or a socket."""
        if self.scheme == "unix" or self.host == "localhost":
            return True
        found = address_of(self.host)
        # An IPv4 address within an IPv6 one is judged by itself: Python's versions differ here.
        inside = None if found is None or found.version == 4 else found.ipv4_mapped  # noqa: PLR2004
        return found is not None and (inside or found).is_loopback

    @property
    def is_any_port(self) -> bool:
        """Whether a port that is free is meant, which is another one each time."""
        return self.port == 0 and self.scheme != "unix"

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_address(text: str, role: Role) -> Address:
    """Read ``http://host:port``, ``https://host:port`` or ``unix:/path``; raises ``AddressError``.

    Without a port it is 80 or 443 for inference, 8081 or 8444 for management, 8082 or 8445 for metrics.
    """
    scheme, _, rest = text.partition(":")
    match scheme.lower():
        case "unix":
            return _socket(rest)
        case "http" | "https" as scheme if rest.startswith("//"):
            host, port = _place(rest.removeprefix("//"))
            return Address(scheme=scheme, host=host, port=_PORTS[role][scheme] if port is None else port)
        case _:
            raise AddressError("an address is meant: http://host:port, https://host:port or unix:/path")


def _place(place: str) -> tuple[str, int | None]:
    if _NO_PART.search(place):
        raise AddressError("a host and perhaps a port are meant, and nothing before, between or behind them")
    bracket = place.rfind("]") + 1
    name, colon, port = place[bracket:].partition(":")
    if ":" in port:
        raise AddressError("an IPv6 address must stand in brackets, as in http://[::1]:8080")
    try:
        host = read_host(place[:bracket] + name)
    except HostError as why:
        raise AddressError(str(why)) from None
    if not colon:
        return host, None
    if not _PORT.fullmatch(port) or int(port) > _LAST_PORT:
        raise AddressError(f"its port is no number from 0 to {_LAST_PORT}")
    return host, int(port)


def _socket(path: str) -> Address:
    if not path.startswith("/"):
        raise AddressError("the path of a socket begins with a slash, as in unix:/run/wfctl.sock")
    if path.endswith("/") or "\0" in path:
        raise AddressError("the path names no file")
    # What has no bytes in UTF-8 becomes one byte, which is what the file system's encoding makes of it.
    if len(path.encode("utf-8", "replace")) > _LONGEST_PATH:
        raise AddressError(f"the path of a socket has at most {_LONGEST_PATH} bytes")
    return Address(scheme="unix", path=path)
