"""Where archives are looked for; a model's: inside the workflow's archive, beside it, then in the stores.

Invariant: a spec cannot reach outside these places, whatever its urls say; only what was named on the command line can.
"""

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from wfctl.check.model import Inside, ModelFact
from wfctl.errors import FetchError, StoreError, UnsupportedError
from wfctl.spec.model import ModelSpec

if TYPE_CHECKING:
    from wfctl.store.allow import AllowList

_REMOTE: Final = frozenset({"http", "https"})


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where to look, in this order."""

    members: frozenset[str] = frozenset()
    """Files inside the workflow's archive."""
    archive: Path | None = None
    """The workflow's archive."""
    archive_name: str | None = None
    """What messages call it; ``None`` for its path."""
    unpacked: Path | None = None
    """Where that archive is unpacked; ``None`` while it is only looked at."""
    beside: Path | None = None
    """The folder of the spec or of the archive."""
    model_store: Path | None = None
    """As named on the command line."""
    environment_store: Path | None = None
    """The value of ``WFCTL_MODEL_STORE``."""
    allowed: "AllowList | None" = None
    """What ``file:`` urls may name beyond these places."""

    @cached_property
    def folders(self) -> Mapping[str, Path]:
        """Name in messages -> folder, for the folders after the archive itself, each once."""
        found: dict[Path, Path] = {}
        for folder in (self.beside, self.model_store, self.environment_store):
            if folder is not None:
                found.setdefault(folder.absolute(), folder)
        return {str(folder if folder.parts else whole): folder for whole, folder in found.items()}

    @cached_property
    def _sorted_members(self) -> list[str]:
        return sorted(self.members)

    def has_folder_inside(self, name: str) -> bool:
        """Whether files inside the archive lie below ``name``."""
        index = bisect_left(self._sorted_members, f"{name}/")
        return any(member.startswith(f"{name}/") for member in self._sorted_members[index : index + 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a url leads to; neither ``path`` nor ``member`` if to nothing."""

    url: str
    path: Path | None = None
    """A file or folder on this machine."""
    member: str | None = None
    """A file inside the workflow's archive, also when that is unpacked."""
    tried: tuple[str, ...] = ()
    """The places looked at, as messages name them, the one where it was found included."""
    leads_out: str | None = None
    """The link that stands where it was looked for, and leads out of every place."""


def is_remote(url: str) -> bool:
    """Whether a url names another machine."""
    return scheme_of(url) in _REMOTE


def scheme_of(url: str) -> str | None:
    """Return the scheme of a url in lower case, or ``None`` where it has none or cannot be read."""
    if ":" not in url:  # as nearly always, and quicker than taking it apart
        return None
    try:
        return urlsplit(url).scheme.lower() or None
    except ValueError:
        return None


def find_model(url: str, places: Places) -> Found:
    """Look for a model; a url that leads out of every place is looked for nowhere."""
    tried: list[str] = []
    name = _relative(url, places)
    if name is None:
        return Found(url=url, path=_allowed_file(url, places))
    if places.archive is not None:
        tried.append(f"inside {places.archive_name or places.archive}")
        if member := _member(name.as_posix(), places):
            path = places.unpacked / member if places.unpacked else None
            return Found(url=url, path=path, member=member, tried=tuple(tried))
    for shown, folder in places.folders.items():
        tried.append(shown)
        for candidate in _candidates(name):
            path = folder / candidate
            # Not Path.exists, which raises for a name that is too long for the disk.
            if os.path.exists(path):  # noqa: PTH110
                if _leads_out(folder, candidate, places.folders.values()):
                    return Found(url=url, tried=tuple(tried), leads_out=str(path))
                return Found(url=url, path=path, tried=tuple(tried))
    return Found(url=url, tried=tuple(tried))


def require_model(url: str, places: Places) -> Path:
    """Return where a model is on this machine; raise ``StoreError`` with the places tried, or with what to do."""
    if is_remote(url):
        from wfctl.store.address import without_secrets

        raise StoreError(
            f'the model at "{without_secrets(url)}" is on another machine',
            hint="download it into the folder of the workflow or a --model-store, and give its file name as url",
        )
    found = find_model(url, places)
    if found.path is not None:
        return found.path
    if found.member is not None:
        raise UnsupportedError(f'"{found.member}" is inside an archive that is not unpacked')
    raise not_found(found)


def find_workflow_file(path: Path, store: Path | None) -> Path:
    """Return what ``path`` means: what stands there, or else the archive of that name in the workflow store.

    Where neither is, the path comes back as it is; a link that leads out of the store raises ``StoreError``.
    """
    if store is None or len(path.parts) != 1 or path.name in {"", ".."} or os.path.exists(path):  # noqa: PTH110
        return path
    return find_in_store(path.name, store) or path


def find_in_store(name: str, store: Path) -> Path | None:
    """Return what is in a workflow store under a name, ``None`` if nothing is.

    A link that leads out of the store raises ``StoreError``.
    """
    inside = store / name
    if not name or not os.path.exists(inside):  # noqa: PTH110
        return None
    if _leads_out(store, Path(name), (store,)):
        raise _link_out(str(inside))
    return inside


def not_found(found: Found) -> StoreError:
    """Make the error for a model that is nowhere."""
    if found.leads_out:
        return _link_out(found.leads_out)
    if not found.tried:
        return StoreError(
            f'the url "{found.url}" leads out of the places where models are looked for',
            hint="give the name of a file beside the workflow, or name its folder with --model-store"
            + _or_allow(found.url),
        )
    return StoreError(
        f'there is no model "{found.url}"; looked {_listed(found.tried)}',
        hint="put the archive there, or name the folder that holds it with --model-store",
    )


def _link_out(link: str) -> StoreError:
    return StoreError(
        f'"{link}" is a link that leads out of the places where archives are looked for',
        hint="put the archive itself there, or name the folder that it leads to",
    )


def _or_allow(url: str) -> str:
    if scheme_of(url) != "file":
        return ""
    from wfctl.store.address import parse_address

    try:
        return f', or allow it with --allow-url "{parse_address(url).folder}"'
    except FetchError:
        return ""


def facts_for(
    models: Mapping[str, ModelSpec],
    places: Places,
    *,
    digest_of_member: Callable[[str], str | None] | None = None,
    look_inside: Callable[[Path], Inside | None] | None = None,
) -> dict[str, ModelFact]:
    """Gather what a check must know of the models with a local url; digests only where the spec pins one.

    ``look_inside`` is asked about every archive that is on this machine.
    """
    facts = {}
    for name, model in models.items():
        if not model.url or is_remote(model.url):
            continue
        found = find_model(model.url, places)
        facts[name] = ModelFact(
            found=str(found.path) if found.path is not None else found.member,
            places=found.tried,
            leads_out=found.leads_out,
            sha256=_digest(found, digest_of_member) if model.sha256 else None,
            inside=None if look_inside is None or found.path is None else look_inside(found.path),
        )
    return facts


def _digest(found: Found, digest_of_member: Callable[[str], str | None] | None) -> str | None:
    if found.path is not None:
        from wfctl.store.digest import sha256_of  # only a pin needs it, and hashlib is not light

        # A pin holds for one file; a folder has no digest.
        return sha256_of(found.path) if found.path.is_file() else None
    if found.member is not None and digest_of_member is not None:
        return digest_of_member(found.member)
    return None


def _listed(places: tuple[str, ...]) -> str:
    named = [place if place.startswith("inside ") else f'in "{place}"' for place in places]
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def _relative(url: str, places: Places) -> Path | None:
    """Return a url as a path below the places, or ``None`` where it leads out of them."""
    scheme = scheme_of(url)
    if scheme in _REMOTE:
        return None
    text = _path_of(url) if scheme == "file" else url
    if text is None or "\0" in text or not text.strip():
        return None
    path = Path(text)
    if path.is_absolute():
        return _below(path, places)
    return None if not path.parts or ".." in path.parts else path


def _path_of(url: str) -> str | None:
    """Return the path in a ``file:`` url; ``None`` where that is on another machine, or is spelled to mislead."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    is_plain = path.count("/") == parts.path.count("/")
    return path if is_plain and parts.netloc.lower() in {"", "localhost"} else None


def _below(path: Path, places: Places) -> Path | None:
    """Return the rest of an absolute path inside the first place that holds it."""
    for folder in places.folders.values():
        root = folder.absolute()
        if ".." not in path.parts and path.is_relative_to(root):
            return path.relative_to(root)
    return None


def _allowed_file(url: str, places: Places) -> Path | None:
    """Return the file of a ``file:`` url that the allow-list has, and that is where it says, links or no links."""
    if scheme_of(url) != "file" or places.allowed is None:
        return None
    from wfctl.store.address import parse_address  # few specs have such urls, and ipaddress is not light

    try:
        address = parse_address(url)
        path = Path("/", *address.parts)
        real = parse_address(path.resolve().as_uri())
    except (FetchError, OSError, ValueError):
        return None
    is_allowed = places.allowed.admits(address) and places.allowed.admits(real)
    return path if is_allowed and os.path.exists(path) else None  # noqa: PTH110


def _leads_out(folder: Path, name: Path, folders: Iterable[Path]) -> bool:
    """Whether a name in a folder leads, by links, to something outside of all these folders."""
    path = folder / name
    # Asked for each model: only the parts of the name can be somebody else's links, and most are none.
    if not any(os.path.islink(folder.joinpath(*name.parts[: at + 1])) for at in range(len(name.parts))):  # noqa: PTH114
        return False
    real = os.path.realpath(path)
    return not any(Path(real).is_relative_to(os.path.realpath(folder)) for folder in folders)


def _candidates(name: Path) -> Iterator[Path]:
    """Yield the name itself, then its last part: the original looks for ``sub/m.mar`` as ``m.mar`` in its store."""
    yield name
    if len(name.parts) > 1:
        yield Path(name.name)


def _member(name: str, places: Places) -> str | None:
    if name in places.members:
        return name
    # A model that was never packed: a folder inside the archive.
    return name if places.has_folder_inside(name) else None
