"""What may be fetched: nothing, but for what the user allows by name.

A pattern is a beginning of urls (``https://host/folder/``), a host (``host``, ``host:8080``), an address or a network
(``10.0.0.5``, ``10.0.0.0/8``), or, behind ``re:``, a regular expression as TorchServe's ``allowed_urls`` has them.
Invariant: text only; matched against the parsed address, never against what somebody wrote.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from wfctl.check.host import HostError, address_of, read_host
from wfctl.errors import FetchError
from wfctl.store.address import PORTS, Address, parse_address

_EXPRESSION: Final = "re:"
_HAS_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_NETWORK: Final = re.compile(r"[0-9a-fA-F.:]+/[0-9]{1,3}")
# The place that an expression spells out; a dot is a dot, with a backslash before it or without.
_SPELLED: Final = re.compile(r"[a-zA-Z()|?]+://([A-Za-z0-9_-]+(?:\\?\.[A-Za-z0-9_-]+)*)(?::[0-9]+)?/")
_LOOPBACK_NAMES: Final = ("localhost", ".localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beginning:
    """Scheme, host and port as they are, and the path's first components."""

    address: Address

    def admits(self, wanted: Address) -> bool:
        """Whether an address begins so."""
        own = self.address
        is_there = (own.scheme, own.host, own.port) == (wanted.scheme, wanted.host, wanted.port)
        return is_there and wanted.parts[: len(own.parts)] == own.parts

    def names(self, host: str) -> bool:
        """Whether this host is spelled out."""
        return self.address.host == host


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """A host at one port, or at the usual ones."""

    host: str
    port: int | None

    def admits(self, wanted: Address) -> bool:
        """Whether an address is there."""
        return wanted.host == self.host and wanted.port == (self.port or PORTS.get(wanted.scheme))

    def names(self, host: str) -> bool:
        """Whether this host is spelled out."""
        return self.host == host


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """Addresses that hosts may have; it allows no url by itself."""

    network: IPv4Network | IPv6Network

    def admits(self, wanted: Address) -> bool:  # noqa: ARG002 - one of four that are asked alike
        """Say no."""
        return False

    def names(self, host: str) -> bool:
        """Whether the address lies inside."""
        address = address_of(host)
        return address is not None and address.version == self.network.version and address in self.network


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expression:
    """A regular expression for the whole url."""

    expression: re.Pattern[str]
    host: str | None

    def admits(self, wanted: Address) -> bool:
        """Whether the address, put together again from its parts, matches from end to end."""
        texts = (wanted.text, wanted.text_with_port)
        return any(self.expression.fullmatch(text) for text in texts)

    def names(self, host: str) -> bool:
        """Whether this host is spelled out."""
        return self.host == host


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """What the user allows; by default nothing."""

    patterns: tuple[_Beginning | _Host | _Network | _Expression, ...] = ()

    def admits(self, address: Address) -> bool:
        """Whether something may be fetched from there."""
        return any(pattern.admits(address) for pattern in self.patterns)

    def admits_inside(self, host: str, at: IPv4Address | IPv6Address) -> bool:
        """Whether ``host`` may be at an address that is not public: only if one of the patterns says so by name."""
        if any(pattern.names(str(at)) for pattern in self.patterns):
            return True
        is_local = at.is_loopback and (host == _LOOPBACK_NAMES[0] or host.endswith(_LOOPBACK_NAMES[1]))
        return is_local and any(pattern.names(host) for pattern in self.patterns)


NOTHING: Final = AllowList()


def parse_allowed(texts: Iterable[str]) -> AllowList:
    """Read patterns, also a single one; raise ``FetchError`` for what is none."""
    texts = (texts,) if isinstance(texts, str) else texts
    return AllowList(patterns=tuple(_pattern(text.strip()) for text in texts if text.strip()))


def _pattern(text: str) -> _Beginning | _Host | _Network | _Expression:
    try:
        if text.startswith(_EXPRESSION):
            return _expression(text.removeprefix(_EXPRESSION))
        if _NETWORK.fullmatch(text):
            return _Network(network=ip_network(text, strict=False))
        return _beginning(text) if _HAS_SCHEME.match(text) else _host(text)
    except (FetchError, HostError, ValueError) as why:
        raise FetchError(
            f'"{text}" does not say what may be fetched: {why}',
            hint="give the beginning of a url (https://models.example.com/), a host, or re: and a regular expression",
        ) from None


def _beginning(text: str) -> _Beginning:
    address = parse_address(text)
    if address.query or "?" in text or "#" in text:
        raise ValueError("the beginning of a url has no parameters and no fragment")
    return _Beginning(address=address)


def _host(text: str) -> _Host:
    if any(character in text for character in "/?#@*"):
        raise ValueError("a host has a name and perhaps a port, and nothing else")
    if text.count(":") > 1 and not text.startswith("["):
        return _Host(host=read_host(f"[{text}]"), port=None)
    address = parse_address(f"http://{text}/")
    has_port = ":" in text[text.rfind("]") + 1 :]
    return _Host(host=address.host, port=address.port if has_port else None)


def _expression(text: str) -> _Expression:
    try:
        expression = re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from None
    spelled = _SPELLED.match(text)
    host = None
    if spelled:
        try:
            host = read_host(spelled.group(1).replace("\\", ""))
        except HostError:
            host = None
    return _Expression(expression=expression, host=host)
