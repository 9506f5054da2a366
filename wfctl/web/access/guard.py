"""Keeps web pages away from a server: a browser sends what any page asks it to, from inside the user's machine.

Pure. Who is no browser is never asked for anything: curl and the like send neither ``Origin`` nor ``Sec-Fetch-Site``.
A page is told by these two, which it cannot forge, and what came by a name that somebody else's DNS made ours is told
by ``Host``. Invariant: of what a page may have sent, that which is not understood is refused. What nobody can tell from
curl is the picture that a page asks for, if the server is neither on loopback nor behind TLS; there it takes keys.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Self

from wfctl.check.host import HostError, address_of, read_host

_HOST = re.compile(r"(\[[^]]*\]|[^:]*)(?::[0-9]*)?")
_ANY_PAGE: Final = "*"
_OWN_PAGES: Final = frozenset({"same-origin", "none"})
"""Of ``Sec-Fetch-Site``: asked by a page of this server, or by the user at the address bar.

Not "same-site": a site has no ports, so that all servers of one machine are one site, be it this one and a notebook.
"""
_REMEMBERED: Final = 64
_LONGEST: Final = 260
"""Characters of a long host with its port, and so of what is remembered, and of what a refusal repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What a listening address is called, and which pages may use it; made by ``at`` or ``at_unix_socket``."""

    names: frozenset[str] = frozenset()
    """As ``read_host`` writes them. The addresses of loopback, and "localhost", are always right."""
    takes_any_address: bool = False
    takes_any_host: bool = False
    origins: frozenset[str] = frozenset()
    """Of pages that may use the server, as browsers write them; "*" for all pages."""
    _remembered: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    """Hosts that were found right, as they were sent: one client sends one, and reading it takes microseconds."""

    @classmethod
    def at(cls, host: str, *, machine: str = "", names: Iterable[str] = (), origins: Iterable[str] = ()) -> Self:
        """Return the guard of a server that listens on ``host``: an address, a name, or "" for all interfaces.

        On loopback it answers to loopback's names and to ``names``, which may be addresses; elsewhere also to
        ``machine``, the machine's name, and to every address: a forwarded port has others than ours, and no DNS is
        asked for an address. Raises ``HostError`` for one of ``names`` that is none.
        """
        accepted = {"localhost", *map(read_host, names)}
        address = _address(host)
        is_local = host.lower() == "localhost" if address is None else _is_loopback(address)
        for own in () if is_local else (host, machine):
            with suppress(HostError):  # all interfaces, or what no URL can hold
                accepted.add(read_host(own))
        return cls(names=frozenset(accepted), takes_any_address=not is_local, origins=frozenset(origins))

    @classmethod
    def at_unix_socket(cls, *, origins: Iterable[str] = ()) -> Self:
        """Return the guard of a server that no browser reaches but through another server, which looks at hosts."""
        return cls(takes_any_host=True, origins=frozenset(origins))

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Return why a request with these fields, named in lower case, is refused (403); ``None`` if it is not.

        Every method is judged alike: in the original a GET runs a model, too.
        """
        host = headers.get("host")
        if host not in self._remembered and host is not None and not self._answers_to(host):
            return f'"{host[:_LONGEST]}" is no name of this server'
        if "origin" in headers or "sec-fetch-site" in headers:
            return self._refusal_of_page(headers, host or "")
        return None

    def _answers_to(self, host: str) -> bool:
        is_right = self.takes_any_host or self._is_called(host)
        # Only what is right and only so many: what is remembered for a client's sake must not be a client's to fill.
        if is_right and len(self._remembered) < _REMEMBERED and len(host) <= _LONGEST:
            self._remembered.add(host)
        return is_right

    def _is_called(self, host: str) -> bool:
        found = _HOST.fullmatch(host)  # the port may be another's: that of a tunnel, or of a container's machine
        try:
            name = read_host(found[1] if found else "")
        except HostError:
            return False
        if name in self.names:
            return True
        address = address_of(name)
        return address is not None and (self.takes_any_address or _is_loopback(address))

    def _refusal_of_page(self, headers: Mapping[str, str], host: str) -> str | None:
        origin = headers.get("origin")
        if _ANY_PAGE in self.origins or origin in self.origins:
            return None
        if origin is not None and not _is_same(origin.lower(), host.lower()):
            return f'pages of "{origin[:_LONGEST]}" may not use this server, which was called "{host[:_LONGEST]}"'
        if headers.get("sec-fetch-site", "none") not in _OWN_PAGES:
            return "pages of other servers may not use this one"
        return None


def cors_headers(
    *, origin: str | None = None, methods: str | None = None, headers: str | None = None
) -> dict[str, str]:
    """Return the fields for every answer, by ``cors_allowed_origin`` and its like, as far as they are set.

    They are the same for all requests, as in the original, so that no cache has to know who asked.
    """
    fields = {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": methods,
        "access-control-allow-headers": headers,
    }
    return {name: value for name, value in fields.items() if value}


def _is_same(origin: str, host: str) -> bool:
    """Whether a page came from this very server; whether by TLS, only a proxy before it may know."""
    return bool(host) and origin in {"http://" + host.removesuffix(":80"), "https://" + host.removesuffix(":443")}


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_loopback(address: IPv4Address | IPv6Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
