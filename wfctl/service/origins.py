"""Where a workflow and its models come from, and whether that is enough to run their code.

What lies on this machine, at a path or in a store, is trusted: the user put it there. What was fetched is trusted if
its digest was pinned, or if the user said so. Invariant: nothing that was fetched is unpacked, installed or run
before that is settled.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wfctl.errors import ArchiveError, FetchError, StoreError, UntrustedError
from wfctl.store.address import Address, parse_address, pin_of, without_secrets
from wfctl.store.find import Places, find_workflow_file, is_remote, require_model, scheme_of
from wfctl.store.keep import kept
from wfctl.store.policy import FetchPolicy
from wfctl.store.stop import Stop
from wfctl.workflow import Node, NodeKind

_WORKFLOW, _MODEL = ".war", ".mar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the caller allows and vouches for."""

    policy: FetchPolicy = field(default_factory=FetchPolicy)
    is_trusted: bool = False
    """Whether whatever is fetched may run."""
    sha256: str | None = None
    """The digest that the workflow's archive must have."""
    workflow_store: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """An archive or a folder that is on this machine now."""

    path: Path
    address: Address | None = None
    """Where it was fetched from; ``None`` for what was here already."""
    sha256: str | None = None
    """The digest of what was fetched, or the one that is pinned."""
    is_pinned: bool = False

    @property
    def is_fetched(self) -> bool:
        """Whether it came from another machine."""
        return self.address is not None

    def known_as(self, name: str) -> str:
        """Return the name of a text inside as the user knows it: below the url, if it was fetched."""
        return name if self.address is None else name.replace(str(self.path), self.address.shown, 1)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Have what is refused inside named by its url, and not by the file that it was fetched to."""
        try:
            yield
        except ArchiveError as error:
            if self.address is None:
                raise
            message = error.message.replace(f'"{self.path.name}"', f'"{self.address.shown}"')
            raise type(error)(message, member=error.member, hint=error.hint) from error


def is_url(text: str) -> bool:
    """Whether a text names a workflow by url, and not by path; also by one of a kind that is not fetched."""
    return is_remote(text) or scheme_of(text) == "file" or "://" in text


def acquire_workflow(source: str | Path, terms: Terms, folder: Path, stop: Stop) -> Acquired:
    """Return the workflow that ``source`` names: a path, a name in the workflow store, or a url.

    Raises ``UntrustedError`` for an archive that was fetched and that nothing vouches for.
    """
    if isinstance(source, Path):
        return Acquired(path=find_workflow_file(source, terms.workflow_store), sha256=terms.sha256)
    address = parse_address(source)
    pin = _one_pin(address, terms.sha256)
    if address.scheme == "file":
        return Acquired(path=_allowed_path(address, terms), sha256=pin)
    found = _Fetcher(terms.policy, folder, stop).get(address, pin, _WORKFLOW)
    if not (found.is_pinned or terms.is_trusted):
        # What may be secret in a query is not repeated.
        pinned = f"with --sha256 {found.sha256}" if address.query else f'as "{address.text}#sha256={found.sha256}"'
        raise UntrustedError(_unvouched(found), hint=f"once you know that it is good, run it {pinned}, or with --trust")
    return found


def acquire_models(
    nodes: Iterable[Node], places: Places, terms: Terms, folder: Path, stop: Stop
) -> dict[str, Acquired]:
    """Return where the archive of each model is, by node; what has to be fetched is fetched, each url once.

    Raises ``UntrustedError`` if nothing vouches for one of them.
    """
    found: dict[str, Acquired] = {}
    fetcher = _Fetcher(terms.policy, folder, stop)
    for node in nodes:
        if node.kind is NodeKind.FUNCTION:
            continue
        if node.model is None or node.model.url is None:
            raise ArchiveError(f'model "{node.name}" has no url')
        url, pin = node.model.url, node.model.sha256
        if is_remote(url):
            address = parse_address(url)
            found[node.name] = fetcher.get(address, _one_pin(address, pin), _MODEL)
        else:
            own = pin_of(url) if scheme_of(url) == "file" else None
            found[node.name] = Acquired(path=require_model(url, places), sha256=_agreed(url, own, pin))
    if not terms.is_trusted:
        _refuse_unvouched(found)
    return found


def _refuse_unvouched(models: Mapping[str, Acquired]) -> None:
    doubtful = {name: each for name, each in models.items() if each.is_fetched and not each.is_pinned}
    if doubtful:
        pins = ", ".join(f'sha256: {each.sha256} to model "{name}"' for name, each in doubtful.items())
        raise UntrustedError(
            "; ".join(dict.fromkeys(map(_unvouched, doubtful.values()))),
            hint=f"once you know that it is good, add {pins} in the spec, or run with --trust",
        )


def _unvouched(found: Acquired) -> str:
    shown = found.address.shown if found.address else found.path
    return f'the archive at "{shown}" was fetched, and nothing vouches for its code; its sha256 is {found.sha256}'


class _Fetcher:
    """Fetches each url once."""

    def __init__(self, policy: FetchPolicy, folder: Path, stop: Stop) -> None:
        self._policy = policy
        self._folder = folder
        self._stop = stop
        self._got: dict[tuple[str, str | None], Acquired] = {}

    def get(self, address: Address, pin: str | None, ending: str) -> Acquired:
        """Return what is at ``address``: fetched now, or with a pin also what is kept of earlier runs."""
        key = (address.text, pin)
        if key not in self._got:
            # Also for what is kept: whether a run is refused must not depend on earlier ones.
            _refuse_unless_allowed(address, self._policy)
            self._got[key] = self._kept(address, pin, ending) or self._fetched(address, pin, ending)
        return self._got[key]

    def _kept(self, address: Address, pin: str | None, ending: str) -> Acquired | None:
        path = None if pin is None else kept(self._policy.cache, pin, ending)
        return None if path is None else Acquired(path=path, address=address, sha256=pin, is_pinned=True)

    def _fetched(self, address: Address, pin: str | None, ending: str) -> Acquired:
        # Imported here, and below: runs of what is on this machine do without HTTP.
        from wfctl.store.fetch import fetch

        # Only what is pinned is found again, and so worth keeping.
        into = self._folder if pin is None or self._policy.cache is None else self._policy.cache
        got = fetch(address, policy=self._policy, into=into, ending=ending, pin=pin, stop=self._stop)
        return Acquired(path=got.path, address=address, sha256=got.sha256, is_pinned=pin is not None)


def _one_pin(address: Address, given: str | None) -> str | None:
    return _agreed(address.shown, address.pin, given)


def _agreed(url: str, own: str | None, given: str | None) -> str | None:
    """Return the digest that is pinned; one in the url and another beside it contradict each other."""
    given = given.lower() if given else None
    if given and own and given != own:
        raise FetchError(f'"{without_secrets(url)}" is pinned twice, to {own} and to {given}')
    return given or own


def _allowed_path(address: Address, terms: Terms) -> Path:
    """Return the file of a ``file:`` url, which must lie in the workflow store or be allowed."""
    path = Path("/", *address.parts)
    real = path.resolve()
    store = terms.workflow_store
    if store is not None and real.is_relative_to(store.resolve()):
        return path
    _refuse_unless_allowed(address, terms.policy)
    _refuse_unless_allowed(parse_address(real.as_uri()), terms.policy)
    if not path.exists():
        raise StoreError(f'there is no file "{path}"')
    return path


def _refuse_unless_allowed(address: Address, policy: FetchPolicy) -> None:
    from wfctl.store.fetch import refuse_unless_allowed

    refuse_unless_allowed(address, policy)
