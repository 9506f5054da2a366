"""For development: what changes on disk is loaded again while the server runs.

A node whose own files changed gets new workers and the others keep theirs; where the graph changed, the whole workflow
is opened anew and takes the old one's place. Invariant: what cannot be loaded is told and changes nothing.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from wfctl.errors import WfctlError
from wfctl.plan import ExecutionPlan, NodePlan
from wfctl.service.deployment import prepared
from wfctl.service.prepare import Prepared
from wfctl.service.registry import Registry, Served

LOOKS_EVERY_S = 0.3
Stamp = tuple[tuple[str, int, int], ...]
"""Files with their times of change and sizes."""


class Reloader:
    """Watches what the workflows of a registry were made from."""

    def __init__(self, registry: Registry, tell: Callable[[str], None], fail: Callable[[WfctlError], None]) -> None:
        self._registry = registry
        self._tell = tell
        self._fail = fail
        self._seen: dict[Served, tuple[Stamp, Mapping[str, Stamp]]] = {}

    async def run(self) -> None:
        """Look again and again; ends by being cancelled."""
        while True:
            for served in tuple(self._registry):
                if isinstance(served.wish.request.path, Path):
                    await self._look_at(served)
            self._seen = {served: seen for served, seen in self._seen.items() if served in set(self._registry)}
            await asyncio.sleep(LOOKS_EVERY_S)

    async def _look_at(self, served: Served) -> None:
        found = await asyncio.to_thread(_stamps_of, served.deployment.prepared)
        before = self._seen.setdefault(served, found)
        if found == before:
            return
        self._seen[served] = found
        try:
            await self._reload(served, {name for name, stamp in found[1].items() if before[1].get(name) != stamp})
        except WfctlError as error:
            self._fail(error)

    async def _reload(self, served: Served, touched: set[str]) -> None:
        deployment = served.deployment
        fresh = await prepared(deployment.request)
        changed = changed_nodes(deployment.prepared.plan, fresh.plan, touched)
        if changed is None:
            await asyncio.to_thread(fresh.remove)
            await self._registry.register(replace(served.wish, version=served.version, replaces=True))
            self._tell(f"reloaded {served.name}: its graph has changed")
        elif not changed:
            await asyncio.to_thread(fresh.remove)
        else:
            try:
                await deployment.renew(changed, fresh)
            except WfctlError:
                await asyncio.to_thread(fresh.remove)
                raise
            self._tell(f"reloaded {served.name}: {', '.join(changed)}")


def changed_nodes(before: ExecutionPlan, after: ExecutionPlan, touched: Iterable[str]) -> list[str] | None:
    """Return the nodes that have to be loaded again, ``None`` if it is not the same graph any more."""
    if [_place(node) for node in before.nodes] != [_place(node) for node in after.nodes]:
        return None
    if replace(before, nodes=()) != replace(after, nodes=()):
        return None
    pairs = zip(before.nodes, after.nodes, strict=True)
    return [new.name for old, new in pairs if new.name in touched or _settings(old) != _settings(new)]


def _place(node: NodePlan) -> object:
    return node.name, node.kind, node.parents, node.children, node.payload


def _settings(node: NodePlan) -> NodePlan:
    """Return a node without where its code was unpacked to, which is another place each time."""
    return replace(node, code=replace(node.code, model_dir="", import_paths=()))


def _stamps_of(found: Prepared) -> tuple[Stamp, Mapping[str, Stamp]]:
    spec = () if found.spec_path is None else (found.spec_path,)
    return _stamp(spec), {name: _stamp(paths) for name, paths in found.made_from.items()}


def _stamp(paths: Iterable[Path]) -> Stamp:
    return tuple(sorted(each for path in paths for each in _stamps(path)))


def _stamps(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield a file, or every file below a folder; what is gone meanwhile is seen by its absence."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            if os.path.basename(folder) != "__pycache__":  # noqa: PTH119 - a name of ``os.walk``
                for name in names:
                    yield from _stamps(Path(folder, name))
        return
    try:
        found = path.stat()
    except OSError:
        return
    yield str(path), found.st_mtime_ns, found.st_size
