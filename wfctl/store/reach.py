"""Which addresses of the network are public, and which lead to this machine or to those around it.

Invariant: numbers only; an address inside another one (IPv4 in IPv6, 6to4, Teredo, NAT64) is the one that is judged.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
_COMPATIBLE: Final = IPv6Network("::/96")
_LOW_32: Final = (1 << 32) - 1


def why_not_public(address: IPv4Address | IPv6Address) -> str | None:
    """Say what an address is that no download may come from unasked; ``None`` for a public one."""
    judged = tuple(_inside(address)) or (address,)
    return next((kind for kind in map(_kind, judged) if kind), None)


def _kind(address: IPv4Address | IPv6Address) -> str | None:
    kinds = (
        (address.is_unspecified, "the address of no machine"),
        (address.is_loopback, "this machine itself"),
        (address.is_link_local, "a link-local address"),
        (address.is_multicast, "a multicast address"),
        (isinstance(address, IPv6Address) and (address.is_site_local or address in _LOCAL_NAT64), "a private address"),
        (address.is_reserved, "a reserved address"),
        (address.is_private or not address.is_global, "a private address"),
    )
    return next((words for holds, words in kinds if holds), None)


def _inside(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address]:
    if isinstance(address, IPv4Address):
        return
    for found in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
        if found is not None:
            yield found
    is_compatible = address in _COMPATIBLE and int(address) > 1  # :: and ::1 have a meaning of their own
    if is_compatible or address in _NAT64:
        yield IPv4Address(int(address) & _LOW_32)
