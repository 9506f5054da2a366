"""What the machines of a cluster import: the application that a config file of ours names, and what answers before it.

Journey: ``args`` of the file -> request -> plan -> a deployment for each node, whose replicas unpack the workflow once
a machine, and an ingress, which speaks the API of ``wfctl serve``. Invariant: Ray is imported on machines that have it,
and by ``cluster/`` alone.
"""

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from wfctl.cluster.landing import landed
from wfctl.cluster.refusals import refuse_impossible
from wfctl.errors import UnsupportedError
from wfctl.export.serve_config import ingress_name
from wfctl.plan import CodeUnit, ExecutionPlan, NodePlan
from wfctl.service.deployment import write_output
from wfctl.service.options import Options, request_for
from wfctl.service.prepare import Request, prepare
from wfctl.service.registry import Registry
from wfctl.service.wishes import WishMaker
from wfctl.web.asgi import Message, Receive, Scope, Send
from wfctl.web.config.settings import ServerSettings
from wfctl.web.front_end import FrontEnd, FrontEndOptions
from wfctl.workplace import Workplace

_PLAN = "plan"


def application(args: Mapping[str, Any]) -> Any:
    """Return the Serve application of a workflow; called by Serve with the ``args`` of the file, on some machine.

    Raises what ``prepare`` raises, and ``UnsupportedError`` for arguments that say no workflow.
    """
    from wfctl.cluster.exported import exported_application

    build = os.urandom(8).hex()  # what lies at a path may have changed since it was deployed the last time
    source = Unpacked(args, build)
    prepared = prepare(request_of(args))
    try:
        refuse_impossible(prepared.plan)
    finally:
        prepared.remove()
    return exported_application(prepared.plan, source, Ingress(args), ingress=ingress_name(prepared.plan))


def request_of(args: Mapping[str, Any]) -> Request:
    """Return what is to be opened by the ``args`` of a file; raises ``UnsupportedError``."""
    options = dict(args)
    workflow, name = options.pop("workflow", None), options.pop("name", None)
    if not isinstance(workflow, str):
        raise UnsupportedError('the args of the application say no "workflow": a path or a url')
    try:
        request = request_for(workflow, cast("Options", options))
    except TypeError as error:
        raise UnsupportedError(f"the args of the application: {error}") from error
    return replace(request, name=name)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Every machine gets the workflow from where the file says, and unpacks it once for all of its replicas."""

    args: Mapping[str, Any]
    build: str
    """What no other deployment has."""

    def code_of(self, node: NodePlan) -> CodeUnit:
        """Return what a node loads; raises what ``prepare`` raises."""
        folder = landed(self.build, self._fill)
        was, plan = cast("tuple[str, ExecutionPlan]", pickle.loads((folder / _PLAN).read_bytes()))  # noqa: S301 - ours
        code = next(each.code for each in plan.nodes if each.name == node.name)
        return replace(
            code,
            model_dir=_moved(code.model_dir, was, folder),
            import_paths=tuple(_moved(each, was, folder) for each in code.import_paths),
        )

    def _fill(self, into: Path) -> None:
        plan = prepare(request_of(self.args), workplace=Workplace(into)).plan
        (into / _PLAN).write_bytes(pickle.dumps((str(into), plan)))


def _moved(path: str, was: str, now: Path) -> str:
    """Return where something lies after its folder got another name; what lies elsewhere stays there."""
    return str(now / Path(path).relative_to(was)) if Path(path).is_relative_to(was) else path


class Ingress:
    """The API of ``wfctl serve`` as an ASGI application: opened by its server's first word, and closed by the last."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        self._args = args
        self._front: FrontEnd | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or live from the server's start to its end."""
        if scope["type"] != "lifespan":
            await self._face(scope, receive, send)
            return
        told: Message = await receive()
        await self._open()
        await send({"type": f"{told['type']}.complete"})
        told = await receive()
        if self._front is not None:
            await self._front.drain(0)
        await send({"type": f"{told['type']}.complete"})

    async def _open(self) -> None:
        from wfctl.cluster.exported import DeployedEngines

        request = request_of(self._args)
        wishes = WishMaker(pattern=request)
        registry = Registry(engines=DeployedEngines(), on_output=write_output, watchers=[])
        self._front = front = FrontEnd(ServerSettings(), registry, wishes, options=FrontEndOptions())
        self._face = front.face()
        await registry.register(wishes.from_user(request.path, name=request.name))
        front.site.is_ready = True
