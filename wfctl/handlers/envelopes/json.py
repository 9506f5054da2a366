"""The envelope for ``{"instances": [...]}`` in and ``{"predictions": [...]}`` out.

Invariant: the instances of a whole batch go to the handler in one list, and each request gets back its own.
"""

import json
from base64 import b64decode
from itertools import chain, islice
from typing import Any

from wfctl.handlers.envelopes.base import BaseEnvelope, content_of, refused


class JSONEnvelope(BaseEnvelope):
    """Joins the instances of a batch, and divides the results among its requests again."""

    def __init__(self, handle_fn: Any) -> None:
        super().__init__(handle_fn)
        self._lengths: list[int] = []

    def parse_input(self, data: Any) -> list[Any]:
        """Return the instances of all rows in one list."""
        instances = [_instances_of(row) for row in data]
        self._lengths = [len(each) for each in instances]
        return list(chain.from_iterable(instances))

    def format_output(self, data: Any) -> list[str]:
        """Return one JSON text per row."""
        results = iter(data)
        return [json.dumps({"predictions": list(islice(results, length))}) for length in self._lengths]


def _instances_of(row: Any) -> list[Any]:
    content = content_of(row) or row
    if isinstance(content, str | bytes | bytearray):  # as between nodes, and for a request without a content type
        try:
            content = json.loads(content)
        except ValueError as reason:
            raise refused("the request is not JSON") from reason
    instances = content.get("instances") if isinstance(content, dict) else None
    if not isinstance(instances, list):
        raise refused('the request has no list "instances"')
    return [_decoded(each) for each in instances] if instances and isinstance(instances[0], dict) else instances


def _decoded(instance: Any) -> Any:
    """Return an instance with what stands in it as ``{"b64": ...}`` as bytes."""
    if not isinstance(instance, dict):
        return instance
    if _is_base64(instance):
        return b64decode(instance["b64"])
    return {key: b64decode(value["b64"]) if _is_base64(value) else value for key, value in instance.items()}


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"]
