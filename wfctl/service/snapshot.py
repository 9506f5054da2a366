"""What a server serves, written down after each change, so that the next one can go on with it.

The file is JSON: each version of each workflow with where it came from, its time-outs, and nodes whose numbers of
workers were changed. Invariant: a change is on the disk before who asked for it is answered, a file is whole or the one
before, and only its owner may read it: urls stand there in full, also with what lets one in (the signature in the query
of a presigned one), for the next server has to fetch them again. Keys of this server are not in it.
"""

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from wfctl.errors import Blame, UnreadableInputError, WfctlError
from wfctl.replace_file import replace_file
from wfctl.service.origins import is_url
from wfctl.service.prepare import Request
from wfctl.service.registry import Registry, Served, Wish
from wfctl.service.wishes import WishMaker

_FORMAT: Final = 1


class NotSavedError(WfctlError):
    """A change was made and could not be written down."""

    code = "not-saved"
    blame = Blame.SYSTEM


class BadSnapshotError(WfctlError):
    """A snapshot cannot be read."""

    code = "bad-snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """One version of a workflow as a snapshot has it."""

    wish: Wish
    is_default: bool = False
    scaled: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Node -> least and most workers, where they are not those of the archive."""


class Snapshot:
    """Keeps the file of one registry up to date."""

    def __init__(self, path: Path, registry: Registry, usual: Request) -> None:
        self._path = path
        self._registry = registry
        self._usual = usual
        """What holds for all that is opened, and is not written down."""
        self._lock = asyncio.Lock()
        self._written = b""

    async def write(self) -> None:
        """Write what is served now; raises ``NotSavedError`` if the disk refuses."""
        async with self._lock:
            text = json.dumps(
                {
                    "format": _FORMAT,
                    "workflows": [_record(self._registry, each, self._usual) for each in self._registry],
                }
            )
            content = text.encode("ascii") + b"\n"
            if content != self._written:
                try:
                    await asyncio.to_thread(replace_file, self._path, content, is_durable=True, is_private=True)
                except (UnreadableInputError, OSError) as error:
                    self._written = b""
                    raise NotSavedError(
                        "it is done, and would be lost with the server: its state cannot be written"
                    ) from error
                self._written = content


def _own(value: float | None, usual: float | None) -> float | None:
    """Return what was asked for, ``None`` for what the server does anyway: that may be another one next time."""
    return None if value == usual else value


def _record(registry: Registry, served: Served, usual: Request) -> dict[str, Any]:
    request = served.wish.request
    path = request.path if isinstance(request.path, str) else str(request.path.absolute())
    return {
        "name": served.name,
        "version": served.version,
        "isDefault": registry.is_default(served),
        "path": path,
        "url": served.wish.url,
        "startupTimeout": _own(request.startup_timeout_s, usual.startup_timeout_s),
        "responseTimeout": _own(request.response_timeout_s, usual.response_timeout_s),
        "scaled": _scaled(served),
    }


def _scaled(served: Served) -> dict[str, list[int]]:
    settings = {node.name: node.settings for node in served.deployment.prepared.plan.nodes}
    return {
        node.node: [node.least, node.most]
        for node in served.engine.statistics().nodes
        if (node.least, node.most) != (settings[node.node].min_workers, settings[node.node].max_workers)
    }


def read_snapshot(path: Path, wishes: WishMaker) -> list[Restored]:
    """Return what a snapshot says; raises ``UnreadableInputError`` or ``BadSnapshotError``."""
    try:
        text = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnreadableInputError(f'the snapshot "{path}" cannot be read: {reason}') from error
    try:
        told = json.loads(text)
        if told["format"] != _FORMAT:
            raise BadSnapshotError(f'the snapshot "{path}" is of another version of wfctl: format {told["format"]}')
        return [_restored(each, wishes) for each in told["workflows"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise BadSnapshotError(
            f'"{path}" is no snapshot of a server: {type(error).__name__}: {error}',
            hint="name the file that --state wrote",
        ) from error


def _restored(told: dict[str, Any], wishes: WishMaker) -> Restored:
    path = told["path"]
    wish = wishes.from_user(path if is_url(path) else Path(path), name=str(told["name"]))
    request = replace(
        wish.request,
        startup_timeout_s=_number(told["startupTimeout"]) or wish.request.startup_timeout_s,
        response_timeout_s=_number(told["responseTimeout"]) or wish.request.response_timeout_s,
    )
    return Restored(
        wish=replace(wish, request=request, url=str(told["url"]), version=str(told["version"])),
        is_default=bool(told["isDefault"]),
        scaled={str(node): (int(least), int(most)) for node, (least, most) in told["scaled"].items()},
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


async def restore(registry: Registry, found: Restored) -> Served:
    """Register what a snapshot has, with its numbers of workers; a node that is gone since keeps the archive's."""
    served = await registry.register(found.wish)
    names = set(served.deployment.nodes)
    for node, (least, most) in found.scaled.items():
        if node in names:
            await registry.scale(served, node, least, most)
    if found.is_default:
        await registry.set_default(served.name, served.version)
    return served
