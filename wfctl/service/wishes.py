"""What may be opened: what the user names at the start, and what clients name over the network.

A client names an archive of the workflow store by its name, or one on another machine by a url that the user allowed.
Invariant: no text that came over the network becomes a path outside the workflow store.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from wfctl.archive.read_sources import ARCHIVES, SPEC_NAMES, is_packed, is_unpacked
from wfctl.errors import NotAllowedError, StoreError
from wfctl.service.origins import is_url
from wfctl.service.prepare import Request
from wfctl.service.registry import Wish
from wfctl.store.find import find_in_store


class NotInWorkflowStoreError(StoreError):
    """A client names what is not in the workflow store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WishMaker:
    """Makes wishes after one pattern."""

    pattern: Request
    """What holds for all of them; its path is none of theirs."""

    def from_user(self, path: Path | str, *, name: str | None = None) -> Wish:
        """Return the wish for what the user names: a path, or a url."""
        return Wish(request=replace(self.pattern, path=path, name=name), url=_shown(path))

    def from_network(
        self,
        url: str,
        *,
        name: str | None,
        version: str | None,
        startup_timeout_s: float | None,
        response_timeout_s: float | None,
    ) -> Wish:
        """Return the wish for what a client names; what it leaves open is as in the pattern.

        Raises ``NotAllowedError`` or ``NotInWorkflowStoreError``.
        """
        path = url if is_url(url) else self._in_store(url)
        request = replace(
            self.pattern,
            path=path,
            name=name,
            startup_timeout_s=startup_timeout_s or self.pattern.startup_timeout_s,
            response_timeout_s=response_timeout_s or self.pattern.response_timeout_s,
        )
        return Wish(request=request, url=url, version=version)

    def _in_store(self, url: str) -> Path:
        if ".." in Path(url).parts or "\0" in url or "\\" in url:
            raise NotInWorkflowStoreError(f"Relative path is not allowed in url: {url}")
        store = self.pattern.terms.workflow_store
        name = Path(url).name  # as in the original: a folder before it says nothing
        if store is None:
            raise NotInWorkflowStoreError(
                f"Workflow not found in workflow store: {name}",
                hint="the server was started without --workflow-store and without a model store",
            )
        try:
            found = find_in_store(name, store)
        except StoreError:  # a link out of it; where that leads, and where the store lies, is not for clients
            found = None
        if found is None or not _is_archive(found):
            raise NotInWorkflowStoreError(f"Workflow not found in workflow store: {name}")
        return found


def _is_archive(path: Path) -> bool:
    """Whether a client may name it: of any other file that lies there a refusal would quote the text."""
    if path.is_dir():
        return is_unpacked(path)
    return path.is_file() and (path.name.endswith(ARCHIVES) or is_packed(path))


def _shown(path: Path | str) -> str:
    """Return what clients are told of a path of the user's: the name of the archive, of the folder or of the spec."""
    if isinstance(path, str):
        return path
    whole = path.absolute()
    return whole.parent.name if whole.name in SPEC_NAMES else whole.name


def refused(url: str, error: NotAllowedError) -> NotAllowedError:
    """Return a refusal in the original's words."""
    return NotAllowedError(f"Given URL {url} does not match any allowed URL(s)", hint=error.hint)
