"""The host of a web address, in the one form in which it is compared, looked up and asked for.

Invariant: text only. What resolvers read as an address although it does not look like one ("2130706433", "0x7f.1")
is refused, and of two spellings of one name there is one outcome.
"""

import re
from ipaddress import IPv4Address, IPv6Address

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]+)\]")
_LONGEST = 253


class HostError(ValueError):
    """Why a text is no host, in words that follow on "cannot be an address: "."""


def read_host(text: str) -> str:
    """Return a host in lower case, as IDNA writes it, without the dot at its end; an IPv6 address without brackets."""
    if text.startswith("["):
        return _in_brackets(text)
    name = _as_ascii(text).lower().removesuffix(".")
    if not name:
        raise HostError("it names no host")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _with_dots(name)
    if len(name) > _LONGEST or not all(_LABEL.fullmatch(label) for label in labels):
        raise HostError("its host is no name of a machine")
    return name


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is; ``None`` for a name."""
    if ":" in host:
        return IPv6Address(host)
    return IPv4Address(host) if _NUMBER.fullmatch(host.rpartition(".")[2]) else None


def _in_brackets(text: str) -> str:
    # Without a zone ("%eth0"), which means something on one machine only.
    found = _BRACKETS.fullmatch(text)
    try:
        return str(IPv6Address(found.group(1) if found else ""))
    except ValueError:
        raise HostError("what stands in brackets is no IPv6 address") from None


def _with_dots(name: str) -> str:
    try:
        return str(IPv4Address(name))
    except ValueError:
        raise HostError("an IPv4 address is four decimal numbers with dots, without leading zeros") from None


def _as_ascii(text: str) -> str:
    if text.isascii():
        return text
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        raise HostError("its host is no name of a machine") from None
