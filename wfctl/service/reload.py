"""For development: what changes on disk is loaded again while the server runs.

A node whose own files changed gets new workers and the others keep theirs; where the graph changed, the whole workflow
is opened anew and takes the old one's place. Invariant: what cannot be loaded is told and changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from wfctl.errors import Blame, WfctlError
from wfctl.plan import ExecutionPlan, NodePlan
from wfctl.service.deployment import prepared
from wfctl.service.prepare import Prepared
from wfctl.service.registry import Registry, Served
from wfctl.service.stamps import Stamp, stamp_of

LOOKS_EVERY_S = 0.3


class ReloadError(WfctlError):
    """The system refused what loading again takes."""

    code = "not-reloaded"
    blame = Blame.SYSTEM


class Reloader:
    """Watches what the workflows of a registry were made from."""

    def __init__(self, registry: Registry, tell: Callable[[str], None], fail: Callable[[WfctlError], None]) -> None:
        self._registry = registry
        self._tell = tell
        self._fail = fail
        self._looked: dict[Served, tuple[Stamp, Mapping[str, Stamp]]] = {}
        """What was there when it was last tried to load it."""

    async def run(self) -> None:
        """Look again and again; ends by being cancelled."""
        while True:
            for served in tuple(self._registry):
                if isinstance(served.wish.request.path, Path):
                    await self._look_at(served)
            there = set(self._registry)
            self._looked = {served: seen for served, seen in self._looked.items() if served in there}
            await asyncio.sleep(LOOKS_EVERY_S)

    async def _look_at(self, served: Served) -> None:
        loaded = served.deployment.prepared
        found = await asyncio.to_thread(_stamps_of, loaded)
        if found == (loaded.spec_stamp, loaded.stamps) or found == self._looked.get(served):
            return  # it is what runs, or was tried in vain
        self._looked[served] = found
        try:
            await self._reload(served, {name for name, stamp in found[1].items() if loaded.stamps[name] != stamp})
        except WfctlError as error:
            self._fail(error)
        except OSError as failure:
            self._fail(ReloadError(f"{served.name} was not loaded again: {(failure.strerror or str(failure)).lower()}"))

    async def _reload(self, served: Served, touched: set[str]) -> None:
        deployment = served.deployment
        fresh = await prepared(deployment.request)
        changed = changed_nodes(deployment.prepared.plan, fresh.plan, touched)
        if changed is None:
            await asyncio.to_thread(fresh.remove)
            await self._registry.register(replace(served.wish, version=served.version, instead_of=served))
            self._tell(f"reloaded {served.name}: its graph has changed")
        elif not changed:
            await asyncio.to_thread(fresh.remove)
        else:
            renewed = await deployment.renew(changed, fresh)
            self._tell(f"reloaded {served.name}: {', '.join(renewed)}")


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
    return stamp_of(found.spec_paths), {name: stamp_of(paths) for name, paths in found.made_from.items()}
