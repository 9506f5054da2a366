"""A url that something may be fetched from, taken apart: scheme, host, port, path, query, and the digest it pins.

Invariant: text only; nothing that two readers could read differently gets through (user names before the host,
backslashes, numbers that stand for addresses, ways up in the path), and no message repeats what may be secret.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urljoin

from wfctl.check.host import HostError, read_host
from wfctl.errors import FetchError

PORTS: Final = {"http": 80, "https": 443}
_PARTS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?")
_AMBIGUOUS: Final = re.compile(r"[\x00-\x20\x7f\\]")
_SEPARATOR: Final = re.compile(r"[/\\]")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_MOST_PORTS: Final = 65535
_PIN: Final = re.compile(r"sha-?[0-9]+", re.IGNORECASE)
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")
_SAFE: Final = "/%:;@!$&'()*+,=~-._"
_SECRET: Final = re.compile(r"(?<=//)[^/?#]*@|[?#].*", re.DOTALL)
_MOST_ROUNDS: Final = 5
_LONGEST: Final = 8192
_MOST_SHOWN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One url, in the form in which it is compared and asked for."""

    scheme: str
    """``http``, ``https`` or ``file``."""
    host: str
    """In lower case, as IDNA writes it; empty for ``file``."""
    port: int
    path: str
    query: str = ""
    pin: str | None = None
    """The digest behind ``#sha256=``."""

    @property
    def place(self) -> str:
        """Host and port, without the port that the scheme implies."""
        return self._bracketed if PORTS.get(self.scheme, 0) == self.port else f"{self._bracketed}:{self.port}"

    @property
    def site(self) -> str:
        """Scheme, host and port, and the slash behind them."""
        return f"{self.scheme}://{self.place}/"

    @property
    def target(self) -> str:
        """What a server is asked for."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def text(self) -> str:
        """The whole url, without the pin."""
        return self.site[:-1] + self.target

    @property
    def text_with_port(self) -> str:
        """The whole url with its port written out."""
        return f"{self.scheme}://{self._bracketed}:{self.port}{self.target}" if self.host else self.text

    @property
    def shown(self) -> str:
        """The url for messages: what may be secret in it is left out."""
        return self.site[:-1] + self.path + ("?..." if self.query else "")

    @property
    def folder(self) -> str:
        """The url up to its last slash: what one would allow to have it."""
        return self.site[:-1] + self.path[: self.path.rindex("/") + 1]

    @property
    def parts(self) -> tuple[str, ...]:
        """The path's components, decoded; slashes more than one count as one."""
        return tuple(unquote(part) for part in self.path.split("/") if part)

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def parse_address(text: str) -> Address:
    """Take a url apart; raise ``FetchError`` if it is none, or none that is safe to follow."""
    try:
        return _parsed(text)
    except (HostError, ValueError) as why:
        raise FetchError(f'the url "{_cut(without_secrets(text))}" cannot be fetched: {_reason(why)}') from None


def follow(address: Address, location: str) -> Address:
    """Return where a redirect leads; raise ``FetchError`` if that is no address."""
    try:
        return _parsed(urljoin(address.text, location))
    except (HostError, ValueError) as why:
        to = _cut(without_secrets(location))
        message = f'"{address.shown}" is not fetched: the server redirects to "{to}", and {_reason(why)}'
        raise FetchError(message) from None


def _reason(why: ValueError) -> str:
    return "it is no UTF-8 text" if isinstance(why, UnicodeEncodeError) else str(why)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def pin_of(url: str) -> str | None:
    """Return the digest that a url pins; raise ``FetchError`` for one that cannot be meant."""
    _, _, fragment = url.partition("#")
    try:
        return _pin(fragment)
    except ValueError as why:
        raise FetchError(f'the url "{without_secrets(url)}" cannot be used: {why}') from None


def without_secrets(text: str) -> str:
    """Return a url without user name, password, parameters and fragment."""
    return _SECRET.sub("", text)


def _parsed(text: str) -> Address:
    if len(text) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST:,} characters")
    if _AMBIGUOUS.search(text):
        raise ValueError("it holds a space, a backslash or a control character")
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ValueError("it is no url")
    scheme, place, path, query, fragment = found.groups()
    scheme = scheme.lower()
    if scheme != "file" and scheme not in PORTS:
        raise ValueError(f'"{scheme}" is none of https, http and file')
    host, port = _file_place(place) if scheme == "file" else _place(place, PORTS[scheme])
    return Address(
        scheme=scheme,
        host=host,
        port=port,
        path=_path(path, may_encode_slashes=scheme != "file"),
        query=quote(query or "", safe=_SAFE + "?"),
        pin=_pin(fragment or ""),
    )


def _place(place: str | None, default: int) -> tuple[str, int]:
    if place and "@" in place:
        raise ValueError("a user name or a password stands in it, and none is sent")
    host, port = place or "", ""
    # The last colon, unless it stands inside the brackets of an IPv6 address.
    if ":" in host[host.rfind("]") + 1 :]:
        host, _, port = host.rpartition(":")
        if not _PORT.fullmatch(port) or not 0 < int(port) <= _MOST_PORTS:
            raise ValueError("its port is no number from 1 to 65535")
    return read_host(host), int(port) if port else default


def _file_place(place: str | None) -> tuple[str, int]:
    if place not in {None, "", "localhost"}:
        raise ValueError("a file: url names no host; write file:///folder/name")
    return "", 0


def _path(path: str, *, may_encode_slashes: bool) -> str:
    plain = path
    for _ in range(_MOST_ROUNDS):
        plain, before = unquote(plain), plain
        if plain == before:
            break
    else:
        raise ValueError("its path is encoded over and over")
    # Some servers take parameters off each part before they follow it: "..;x" leads up there.
    if "\0" in plain or any(part.partition(";")[0] == ".." for part in _SEPARATOR.split(plain)):
        raise ValueError('".." or a null byte stands in its path')
    if not may_encode_slashes and plain.count("/") != path.count("/"):
        raise ValueError("an encoded slash stands in its path")
    path = quote(path, safe=_SAFE)
    return path if path.startswith("/") else f"/{path}"


def _pin(fragment: str) -> str | None:
    if not _PIN.search(fragment):
        return None  # never sent anywhere, as in every browser
    name, _, digest = fragment.partition("=")
    if name != "sha256" or not _DIGEST.fullmatch(digest):
        raise ValueError("what pins it must be #sha256= and 64 hexadecimal digits")
    return digest.lower()
