"""Digests of what lies inside an archive, for the models that a spec pins.

Invariant: nothing is read before the first question, and nothing twice.
"""

from collections.abc import Callable
from pathlib import Path


def digests_in(archive: Path | None) -> Callable[[str], str | None]:
    """Return a function that gives the digest of a member, and of anything else ``None``."""
    digests: dict[str, str] = {}

    def digest(member: str) -> str | None:
        if archive is not None and not digests:
            from wfctl.archive.unpack import list_members  # a spec alone needs no archive reader

            digests.update((listed.name, listed.sha256) for listed in list_members(archive))
        return digests.get(member)

    return digest
