"""The target of a request as its path and its query.

Pure. Invariant: a path is taken apart before it is decoded, so that an escaped slash is part of a name; what can be
read in two ways (empty segments, dots, control characters) is refused and not mended.
"""

import re
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from wfctl.web.wire.messages import RequestError

_MOST_PARAMETERS = 100
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")
_AUTHORITY = re.compile(r"\A[^/?#]*+")
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Target:
    """A path and a query."""

    __slots__ = ("query", "segments")

    def __init__(self, segments: tuple[str, ...], query: MappingProxyType[str, str]) -> None:
        self.segments = segments
        """Between slashes, decoded; none for ``/``."""
        self.query = query
        """Name -> value; of parameters that came twice the first."""

    def __repr__(self) -> str:
        return f"Target({'/'.join(self.segments)!r}, {dict(self.query)!r})"


def read_target(target: str) -> Target:
    """Take the target of a request apart; raises ``RequestError`` (400) for one that is not plain.

    In absolute form (RFC 9112, section 3.2.2) the authority is left to whoever looks at hosts.
    """
    if target.startswith(("http://", "https://")):
        rest = target.partition("://")[2]
        behind = _AUTHORITY.sub("", rest, count=1)
        target = behind if behind.startswith(("/", "#")) else f"/{behind}"
    path, _, query = target.partition("?")
    if path == "*":
        return Target(("*",), MappingProxyType({}))
    if not path.startswith("/"):
        raise RequestError(400, "the target of the request is no path")
    return Target(tuple(_segments(path)), MappingProxyType(_parameters(query)))


def _segments(path: str) -> list[str]:
    pieces = path[1:].split("/")
    if pieces[-1] == "":  # a slash at the end says nothing
        pieces.pop()
    found = [_decoded(piece, "path") for piece in pieces]
    if any(piece in {"", ".", ".."} for piece in found):
        raise RequestError(400, "the path of the request is not plain")
    return found


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    if not query:
        return found
    if query.count("&") >= _MOST_PARAMETERS:
        raise RequestError(400, f"the query has more than {_MOST_PARAMETERS} parameters")
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name:
            plain = (_decoded(each.replace("+", " "), "query") for each in (name, value))
            found.setdefault(next(plain), next(plain))
    return found


def _decoded(text: str, where: str) -> str:
    if _BROKEN.search(text):
        raise RequestError(400, f"the {where} of the request has an escape that is none")
    try:
        decoded = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(400, f"the {where} of the request is not UTF-8") from error
    if _UNSAFE.search(decoded):
        raise RequestError(400, f"the {where} of the request holds a control character")
    return decoded
