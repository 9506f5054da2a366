"""Nodes of workflows as the models that the original makes of them.

Contract: ``GET``, ``PUT`` and ``OPTIONS`` of ``/models``; registering and removing models is off, as it is there by
default, and answers 405.
"""

from collections.abc import Callable
from typing import Any

from wfctl.service.registry import Registry
from wfctl.web.answers import json_response, status_response
from wfctl.web.asked import Asked
from wfctl.web.endpoints.describe import model_description, model_item, model_nodes
from wfctl.web.endpoints.parameters import parameters_of
from wfctl.web.endpoints.workflows import page, scaled
from wfctl.web.wire.messages import Response

DescribesApi = Callable[[str], Any]
"""Takes the name of a model and returns an OpenAPI document."""


class Models:
    """Does what is asked about nodes as models."""

    def __init__(self, registry: Registry, describes_api: DescribesApi) -> None:
        self._registry = registry
        self._describes_api = describes_api

    async def all(self, asked: Asked) -> Response:
        """List the model nodes of all workflows."""
        return json_response(page([model_item(*each) for each in model_nodes(self._registry)], "models", asked))

    async def one(self, asked: Asked) -> Response:
        """Describe, scale, or say how it is managed."""
        name, version = asked.names["model"], asked.names.get("version")
        served, node = self._registry.find_model_version(name, None if version == "all" else version)
        match asked.head.method:
            case "OPTIONS":
                return json_response(self._describes_api(name))
            case "PUT":
                return await scaled(self._registry, served, node.name, parameters_of(asked))
            case _:
                return json_response([model_description(served, node)])

    async def default(self, asked: Asked) -> Response:
        """Say that the only version there is is the default."""
        name, version = asked.names["model"], asked.names["version"]
        self._registry.find_model_version(name, version)
        return status_response(f'Default version successfully updated for model "{name}" to "{version}"')
