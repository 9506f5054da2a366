"""One server from its first listening socket to its last answer.

Invariant: it listens before it loads, so that its health can be asked, and is ready only once all is warm; when it has
stopped, no socket, worker or key file of it is left.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from socket import gethostname

from wfctl.service.registry import Registry
from wfctl.service.wishes import WishMaker
from wfctl.web.access.auth import Keys
from wfctl.web.access.guard import Guard, cors_headers
from wfctl.web.access.tokens import Tokens
from wfctl.web.app import Endpoints, Front
from wfctl.web.asgi import AsgiApp
from wfctl.web.config.addresses import Address, Role
from wfctl.web.config.settings import ServerSettings
from wfctl.web.description.document import api_description, model_description_of
from wfctl.web.endpoints.health import Health
from wfctl.web.endpoints.inference import Inference
from wfctl.web.endpoints.models import Models
from wfctl.web.endpoints.protocol_v2 import ProtocolV2
from wfctl.web.endpoints.workflows import Workflows
from wfctl.web.page.status import StatusPage
from wfctl.web.routes import Api, Endpoint
from wfctl.web.server import Certificate, Server
from wfctl.web.site import Site, Witness
from wfctl.web.watch.metrics import Metrics, scraped_response
from wfctl.web.wire.messages import Limits
from wfctl.web.wire.patience import Patience

_APIS: Mapping[Role, frozenset[Api]] = {
    Role.INFERENCE: frozenset({Api.INFERENCE}),
    Role.MANAGEMENT: frozenset({Api.MANAGEMENT, Api.PAGE}),
    Role.METRICS: frozenset({Api.METRICS}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEndOptions:
    """What is said of a server beside the original's settings."""

    patience: Patience = field(default_factory=Patience)
    most_connections: int = 4096
    names: tuple[str, ...] = ()
    """Further names that the server answers to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Something that listens."""

    address: Address
    roles: tuple[Role, ...]


class FrontEnd:
    """Listens, answers and ends."""

    def __init__(
        self,
        settings: ServerSettings,
        registry: Registry,
        wishes: WishMaker,
        *,
        options: FrontEndOptions,
        keys: Keys | None = None,
        witnesses: tuple[Witness, ...] = (),
    ) -> None:
        self._settings = settings
        self._options = options
        self._keys = keys
        standing = cors_headers(
            origin=settings.cors_allowed_origin or "",
            methods=settings.cors_allowed_methods or "",
            headers=settings.cors_allowed_headers or "",
        )
        self.site = Site(registry=registry, keys=keys, standing=standing)
        inference = Inference(self.site, most=settings.max_request_size, decodes=settings.decode_input_request)
        self.page = StatusPage(self.site, inference.predict_workflow)
        self.metrics = Metrics(registry, hostname=gethostname())
        registry.watchers.append(self.metrics)
        self.site.witnesses = (*witnesses, self.metrics, self.page)
        self._endpoints = _endpoints(self.site, wishes, inference, self.page)
        self._endpoints.later[Endpoint.METRICS] = partial(scraped_response, self.metrics)
        chain = settings.certificate_file
        self._limits = Limits(body=settings.max_request_size)
        self._server = Server(
            limits=self._limits,
            patience=options.patience,
            most_connections=options.most_connections,
            certificate=Certificate(chain=chain, key=settings.private_key_file) if chain else None,
        )
        self.metrics.clients = self._server

    @property
    def server(self) -> Server:
        """Who listens, and knows the connections."""
        return self._server

    @property
    def endpoints(self) -> Endpoints:
        """What is done for each endpoint; who serves more adds it here before it listens."""
        return self._endpoints

    def face(self) -> AsgiApp:
        """Return what answers for another server than ours, at whatever name: all but what management may do."""
        origin = self._settings.cors_allowed_origin
        guard = Guard.at_unix_socket(origins=(origin,) if origin else ())
        apis = frozenset({Api.INFERENCE, Api.METRICS})
        return AsgiApp(Front(self.site, self._endpoints, apis, guard), self._limits)

    async def listen(self) -> list[Listening]:
        """Listen everywhere; raises ``ListenError``."""
        found: list[Listening] = []
        for address, roles in self._groups():
            apis = frozenset(each for role in roles for each in _APIS[role])
            front = Front(self.site, self._endpoints, apis, self._guard(address))
            listening = await self._server.listen(address, front)
            found += [Listening(address=each, roles=tuple(roles)) for each in listening]
        return found

    def _groups(self) -> list[tuple[Address, list[Role]]]:
        """Return each address with all that is asked for there; port 0 is one that is free, for each anew."""
        settings = self._settings
        wanted = [(settings.inference_address, Role.INFERENCE), (settings.management_address, Role.MANAGEMENT)]
        if settings.enable_metrics_api:
            wanted.append((settings.metrics_address, Role.METRICS))
        groups: list[tuple[Address, list[Role]]] = []
        for address, role in wanted:
            same = next((roles for other, roles in groups if other == address and not address.is_any_port), None)
            if same is None:
                groups.append((address, [role]))
            else:
                same.append(role)
        return groups

    def _guard(self, address: Address) -> Guard:
        origin = self._settings.cors_allowed_origin
        origins = (origin,) if origin else ()
        if address.scheme == "unix":
            return Guard.at_unix_socket(origins=origins)
        return Guard.at(address.host, machine=gethostname(), names=self._options.names, origins=origins)

    async def drain(self, within_s: float) -> int:
        """End: answer what has come, take every workflow away; returns how many connections had to be cut."""
        self.site.is_draining = True
        cut = await self._server.drain(within_s)
        if self.site.tasks:
            await asyncio.wait(self.site.tasks, timeout=within_s)
        await self.site.registry.close()
        if self._keys is not None:
            await asyncio.to_thread(self._keys.remove)
        return cut


def _endpoints(site: Site, wishes: WishMaker, inference: Inference, page: StatusPage) -> Endpoints:
    registry = site.registry
    health, protocol = Health(site), ProtocolV2(registry, inference)
    workflows, models = Workflows(registry, wishes), Models(registry, model_description_of)
    endpoints = Endpoints()
    endpoints.runs |= {
        Endpoint.WORKFLOW_PREDICT: inference.predict_workflow,
        Endpoint.PREDICTIONS: inference.predict_node,
        Endpoint.EXPLANATIONS: inference.explain_node,
        Endpoint.MODEL_INFER: protocol.infer,
        Endpoint.V1_PREDICT: protocol.predict_v1,
    }
    endpoints.looks |= {
        Endpoint.WORKFLOW_PREDICT: inference.look_at_workflow,
        Endpoint.PREDICTIONS: inference.look_at_node,
        Endpoint.EXPLANATIONS: inference.look_at_node,
        Endpoint.MODEL_INFER: inference.look_at_workflow,
        Endpoint.V1_PREDICT: inference.look_at_workflow,
    }
    endpoints.now |= {
        Endpoint.PING: health.ping,
        Endpoint.SERVER_LIVE: health.live,
        Endpoint.SERVER_READY: health.ready,
        Endpoint.SERVER_METADATA: health.metadata,
        Endpoint.MODEL_READY: health.model_ready,
        Endpoint.MODEL_METADATA: protocol.metadata,
        Endpoint.V1_MODEL: protocol.ready_v1,
        Endpoint.API_DESCRIPTION: partial(api_description, site),
    }
    endpoints.now |= {
        Endpoint.STATUS_PAGE: page.page,
        Endpoint.STATUS_FILE: page.page,
        Endpoint.STATUS_DATA: page.data,
    }
    endpoints.runs[Endpoint.STATUS_TRY] = page.tried
    endpoints.looks[Endpoint.STATUS_TRY] = inference.look_at_workflow
    endpoints.later[Endpoint.STATUS_DRAWING] = page.drawing
    endpoints.later |= {
        Endpoint.WORKFLOWS: workflows.all,
        Endpoint.WORKFLOW: workflows.one,
        Endpoint.WORKFLOW_VERSION: workflows.version,
        Endpoint.WORKFLOW_DEFAULT: workflows.default,
        Endpoint.WORKFLOW_NODE: workflows.node,
        Endpoint.MODELS: models.all,
        Endpoint.MODEL: models.one,
        Endpoint.MODEL_DEFAULT: models.default,
    }
    if site.keys is not None:
        endpoints.later[Endpoint.TOKEN] = Tokens(site.keys).renew
    return endpoints
