"""Management of workflows: registered, listed, described, updated, versioned, scaled, taken away.

Contract: the original's routes, words and shapes; what it lists as its limits is done beside them.
Invariant: what takes long happens off the loop, and a request that changes something is done also if its client left.
"""

from dataclasses import replace
from typing import Any

from wfctl.errors import LoadError, NotAllowedError, StartTimeoutError, WfctlError, WorkerError
from wfctl.service.registry import BETWEEN, Registry, Served, Wish
from wfctl.service.wishes import WishMaker, refused
from wfctl.web.answers import error_response, json_response, status_response
from wfctl.web.asked import Asked
from wfctl.web.endpoints.describe import node_description, workflow_description, workflow_item
from wfctl.web.endpoints.parameters import Parameters, page_of, parameters_of
from wfctl.web.wire.messages import RequestError, Response

_MOST_WORKERS = 1000
"""Of a node: each is a process, and a slip of a finger must not be the end of the machine."""


class Workflows:
    """Does what is asked about workflows."""

    def __init__(self, registry: Registry, wishes: WishMaker) -> None:
        self._registry = registry
        self._wishes = wishes

    async def all(self, asked: Asked) -> Response:
        """List, or register one."""
        if asked.head.method == "POST":
            return await self._register(asked)
        return json_response(page([workflow_item(each) for each in self._registry.defaults()], "workflows", asked))

    async def one(self, asked: Asked) -> Response:
        """Describe, update in place or take away."""
        name = asked.names["workflow"]
        match asked.head.method:
            case "DELETE":
                return await self._unregister(name, None)
            case "PUT":
                return await self._update(name, asked)
            case _:
                return json_response([self._described(self._registry.find(name))])

    async def version(self, asked: Asked) -> Response:
        """Describe or take away one version; ``all`` describes every one."""
        name, version = asked.names["workflow"], asked.names["version"]
        if asked.head.method == "DELETE":
            return await self._unregister(name, version)
        found = self._registry.versions(name) if version == "all" else (self._registry.find(name, version),)
        return json_response([self._described(each) for each in found])

    async def default(self, asked: Asked) -> Response:
        """Have requests that name no version get this one."""
        name, version = asked.names["workflow"], asked.names["version"]
        await self._registry.set_default(name, version)
        return status_response(f'Default version successfully updated for workflow "{name}" to "{version}"')

    async def node(self, asked: Asked) -> Response:
        """Describe or scale one node."""
        parameters = parameters_of(asked)
        served = self._registry.find(asked.names["workflow"], parameters.text("version"))
        node = served.node(asked.names["node"])
        if asked.head.method != "PUT":
            return json_response(node_description(served, node))
        return await scaled(self._registry, served, node.name, parameters)

    # Registering

    async def _register(self, asked: Asked) -> Response:
        parameters = parameters_of(asked)
        url = parameters.text("url")
        if url is None:
            raise RequestError(400, "Parameter url is required.")
        wish = self._wish(url, parameters.text("workflow_name"), parameters)
        served = await self._opened(wish, url)
        version = "" if wish.version is None else f" Version: {served.version}"
        return status_response(f"Workflow {served.name}{version} has been registered and scaled successfully.")

    async def _update(self, name: str, asked: Asked) -> Response:
        """Open another archive and put it in the place of a version, which answers what it has begun."""
        parameters = parameters_of(asked)
        before = self._registry.find(name, parameters.text("version"))
        url = parameters.text("url")
        wish = before.wish if url is None else self._wish(url, name, parameters)
        await self._opened(replace(wish, version=before.version, instead_of=before), wish.url)
        return status_response(f'Workflow "{name}" updated')

    def _wish(self, url: str, name: str | None, parameters: Parameters) -> Wish:
        return self._wishes.from_network(
            url,
            name=name,
            version=parameters.text("version"),
            startup_timeout_s=parameters.number("startup_timeout", None, least=1),
            response_timeout_s=parameters.number("response_timeout", None, least=1),
        )

    async def _opened(self, wish: Wish, url: str) -> Served:
        try:
            return await self._registry.register(wish)
        except NotAllowedError as error:
            raise refused(url, error) from error
        except (LoadError, WorkerError) as error:
            raise _unregistrable(wish, url, error) from error

    async def _unregister(self, name: str, version: str | None) -> Response:
        await self._registry.unregister(name, version)
        which = "" if version is None else f" version {version}"
        return status_response(f'Workflow "{name}"{which} unregistered')

    def _described(self, served: Served) -> dict[str, Any]:
        versions = [each.version for each in self._registry.versions(served.name)]
        return workflow_description(served, is_default=self._registry.is_default(served), versions=versions)


class RegistrationError(WfctlError):
    """A workflow whose nodes do not load."""

    code = "load-failed"


def _unregistrable(wish: Wish, url: str, error: WfctlError) -> WfctlError:
    name = wish.request.name or url.rpartition("/")[2].removesuffix(".war")
    node = error.node if isinstance(error, LoadError | StartTimeoutError) else "?"
    return RegistrationError(
        f"Workflow {name} has failed to register. Failures: [Failed to start workers for model "
        f"{name}{BETWEEN}{node} version: 1.0. {error.message}]"
    )


def page(items: list[dict[str, str]], what: str, asked: Asked) -> dict[str, Any]:
    """Return one page of a list, and where the next begins if there is one."""
    begin, limit = page_of(asked)
    end = begin + limit
    more = {"nextPageToken": str(end)} if end < len(items) else {}
    return {**more, what: items[begin:end]}


async def scaled(registry: Registry, served: Served, node: str, parameters: Parameters) -> Response:
    """Have a node run with other numbers of workers: ``min_worker``, ``max_worker``, ``synchronous``."""
    least = parameters.number("min_worker", 1, most=_MOST_WORKERS) or 0
    most = parameters.number("max_worker", max(least, 1), most=_MOST_WORKERS) or 0
    if most < least:
        raise RequestError(400, "max_worker cannot be less than min_worker.")
    if most == 0:
        raise RequestError(400, "max_worker is at least 1: a node that nobody works for answers nothing.")
    model = f"{served.name}{BETWEEN}{node}"
    if not parameters.switch("synchronous", usual=False):
        registry.scale_soon(served, node, least, most)
        return status_response("Processing worker updates...", 202)
    failure = await registry.scale(served, node, least, most)
    if failure is not None:
        return error_response(500, f"Failed to start workers for model {model}: {failure.message}")
    count = len(next(each for each in served.engine.statistics().nodes if each.node == node).worker_pids)
    return status_response(f"Workers scaled to {count} for model: {model}")
