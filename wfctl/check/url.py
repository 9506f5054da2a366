"""What a model's ``url`` is: its scheme, its path, and what is dangerous in it.

Invariant: text only; nothing is looked up, on disk or in the network.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

FETCHABLE = ("http", "https", "file")
_MOST_PORTS = 65535

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # two letters at least: "C:" is a drive
_DRIVE = re.compile(r"[A-Za-z]:")
_ARCHIVE_ENDINGS = (".mar", ".tar.gz", ".tgz", ".model")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SEPARATOR = re.compile(r"[/\\]")
_VERSION = re.compile(r"v?\d+")
_SECRET_PARAMETERS = re.compile(
    r"(?:^|&)(?:token|access_token|api_?key|key|password|secret|sig|x-amz-signature|x-goog-signature)=",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """One ``url``, taken apart."""

    text: str
    scheme: str | None
    """In lower case; ``None`` for a name in the store or beside the spec."""
    parts: SplitResult | None
    """``None`` for a local name, and where the text cannot be taken apart."""

    @property
    def is_local(self) -> bool:
        """Whether it names something in the store, in the archive, or beside the spec."""
        return self.scheme is None

    @property
    def is_remote(self) -> bool:
        """Whether it names another machine."""
        return self.scheme in {"http", "https"}

    @property
    def folder(self) -> str:
        """The url of the folder that it is in, as one would allow it; empty where there is none."""
        if self.parts is None:
            return ""
        place = self.parts.netloc.rpartition("@")[2].lower()
        return f"{self.scheme}://{place}{self.parts.path.rpartition('/')[0]}/"

    @property
    def path(self) -> str:
        """What names the file: without host and parameters."""
        return self.text if self.is_local or self.parts is None else self.parts.path

    @property
    def shown(self) -> str:
        """The text without what may be secret: user, password, parameters."""
        return self.text if self.is_local or self.parts is None else f"{self.parts.hostname or ''}{self.parts.path}"

    def malformation(self) -> str | None:
        """Say why this cannot be an address at all, ``None`` if it can."""
        if _CONTROL.search(self.text):
            return "it holds a control character"
        if not self.is_remote:
            return None
        if self.parts is None or not self.parts.hostname:
            return "it names no host"
        return "it holds a space" if " " in self.text else _fault_of_host(self.parts.netloc)

    def escape(self) -> str | None:
        """Say how this leads out of the store, ``None`` if it does not."""
        if ".." in _SEPARATOR.split(unquote(self.path)):
            return '".." leads out of the store'
        if not self.is_local:
            return None
        if self.text.startswith(("/", "\\\\")) or _DRIVE.match(self.text):
            return "an absolute path is outside the store"
        return 'a backslash is a separator on some systems; write "/"' if "\\" in self.text else None

    def has_credentials(self) -> bool:
        """Whether a user name, a password or a token stands in it."""
        if self.parts is None:
            return False
        return self.has_user() or _SECRET_PARAMETERS.search(self.parts.query) is not None

    def has_user(self) -> bool:
        """Whether a user name stands before the host; such a url is not fetched."""
        return self.parts is not None and "@" in self.parts.netloc

    def looks_like_archive(self) -> bool:
        """Whether the last part has the ending of an archive, or none at all, as folders have."""
        last = unquote(self.path).rstrip("/").rsplit("/", 1)[-1]
        if last.endswith(_ARCHIVE_ENDINGS):
            return True
        _, dot, ending = last.rpartition(".")
        return self.scheme in {None, "file"} and (not dot or _VERSION.fullmatch(ending) is not None)


def _fault_of_host(place: str) -> str | None:
    """Say why host and port cannot be looked up."""
    from wfctl.check.host import HostError, read_host  # specs with web addresses are few, and ipaddress is not light

    host = place.rpartition("@")[2]
    if ":" in host[host.rfind("]") + 1 :]:
        host, _, port = host.rpartition(":")
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= _MOST_PORTS):
            return "its port is no number from 1 to 65535"
    try:
        read_host(host)
    except HostError as why:
        return str(why)
    return None


def read_url(text: str) -> Url:
    """Take ``text`` apart."""
    found = _SCHEME.match(text)
    if found is None:
        return Url(text=text, scheme=None, parts=None)
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = None
    return Url(text=text, scheme=found.group(1).lower(), parts=parts)
