"""The interface as an OpenAPI document, made of the table of routes and of what is said of each endpoint.

Invariant: a route that nothing is said of is an error, and no route is left out. Who has no key where keys are taken
is told nothing of what is served.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from wfctl import __version__
from wfctl.service.registry import Registry
from wfctl.web.access.auth import Keys, Role
from wfctl.web.answers import JSON, json_response
from wfctl.web.asked import Asked
from wfctl.web.description.operations import INTRODUCTION, OPERATIONS, TAGS, Operation
from wfctl.web.description.parts import ANSWERS, BODIES, HEADERS, PARAMETERS, PATH_PARAMETERS
from wfctl.web.description.schemas import SCHEMAS
from wfctl.web.routes import ROUTES, Api, Endpoint, Route
from wfctl.web.site import Site
from wfctl.web.wire.messages import Response

Record = dict[str, Any]

_OPENAPI = "3.0.3"
_SHOWN = ("POST", "GET")
"""Methods that stand for any."""
_PLACE = re.compile(r"\{(\w+)(?:\.\.\.)?\}")
_UNFIT = re.compile(r"[^\w.\-]")
_TAGS: Mapping[Api, str] = {Api.OPEN: "inference", Api.PAGE: "management"}
_SCHEMES: Mapping[Api, str] = {Api.INFERENCE: "inferenceKey", Api.MANAGEMENT: "managementKey"}
_SECURITY: Mapping[str, Record] = {
    "inferenceKey": {"type": "http", "scheme": "bearer", "description": "The key for inference, of the key file."},
    "managementKey": {"type": "http", "scheme": "bearer", "description": "The key for management, of the key file."},
    "renewalKey": {"type": "http", "scheme": "bearer", "description": "The key `API`, which renews the other two."},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A workflow as the document tells of it."""

    name: str
    version: str | None
    """``None`` for the default one by its name alone."""
    nodes: tuple[str, ...]
    leaves: tuple[str, ...]


def api_description(site: Site, asked: Asked) -> Response:
    """Answer with the document of all operations, and of the workflows that there are."""
    keys = site.keys
    shown = tuple(_shown(site.registry)) if keys is None or _has_key(keys, asked) else ()
    return Response(200, _whole(shown, has_keys=keys is not None), JSON)


def model_description_of(model: str) -> Record:
    """Return the document of how one model is managed."""
    paths: Record = {}
    for route in ROUTES:
        if route.endpoint in {Endpoint.MODEL, Endpoint.MODEL_DEFAULT}:
            path = _path_of(route).replace("{model}", quote(model, safe=""))
            paths[path] = _path_item(route, path, has_keys=False)
    return _document(f"Management of {model}", paths, has_keys=False)


def _has_key(keys: Keys, asked: Asked) -> bool:
    sent = asked.head.headers.get("authorization")
    # All are compared, so that time does not say which would do.
    admitted = [keys.admits(role, sent) for role in (Role.INFERENCE, Role.MANAGEMENT)]
    return any(admitted)


def _shown(registry: Registry) -> Iterator[_Shown]:
    for served in registry:
        plan = served.deployment.prepared.plan
        nodes, leaves = tuple(node.name for node in plan.nodes), tuple(plan.leaves)
        if registry.is_default(served):
            yield _Shown(name=served.name, version=None, nodes=nodes, leaves=leaves)
        if len(registry.versions(served.name)) > 1:
            yield _Shown(name=served.name, version=served.version, nodes=nodes, leaves=leaves)


@lru_cache(maxsize=4)
def _whole(shown: tuple[_Shown, ...], *, has_keys: bool) -> bytes:
    """Return the document as text; anybody may ask for it, and it changes seldom."""
    paths: Record = {}
    for route in ROUTES:
        path = _path_of(route)
        paths[path] = {**_path_item(route, path, has_keys=has_keys), **_methods_of(paths.get(path, {}))}
    for each in shown:
        path = "/".join(("/wfpredict", quote(each.name, safe=""), *([each.version] if each.version else [])))
        paths[path] = _workflow_item(each, has_keys=has_keys)
    return bytes(json_response(_document("wfctl", paths, has_keys=has_keys)).body)


def _methods_of(item: Record) -> Record:
    return {name: value for name, value in item.items() if name != "parameters"}


def _document(title: str, paths: Record, *, has_keys: bool) -> Record:
    used = {tag for item in paths.values() for each in _operations_of(item) for tag in each["tags"]}
    parts = {
        "schemas": SCHEMAS,
        "parameters": {**PATH_PARAMETERS, **PARAMETERS},
        "requestBodies": BODIES,
        "responses": ANSWERS,
        "headers": HEADERS,
    }
    return {
        "openapi": _OPENAPI,
        "info": {"title": title, "description": INTRODUCTION, "version": __version__},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "paths": paths,
        "components": {**_needed(paths, parts), **({"securitySchemes": dict(_SECURITY)} if has_keys else {})},
    }


def _operations_of(item: Mapping[str, Any]) -> Iterator[Record]:
    return (value for value in item.values() if isinstance(value, dict) and "operationId" in value)


def _needed(paths: Record, parts: Mapping[str, Mapping[str, Any]]) -> Record:
    """Return the parts that are referred to, directly or by others."""
    found: set[tuple[str, str]] = set()
    left: list[Any] = [paths]
    while left:
        for kind, name in set(_references(left.pop())) - found:
            found.add((kind, name))
            left.append(parts[kind][name])
    chosen = {kind: {name: each[name] for name in each if (kind, name) in found} for kind, each in parts.items()}
    return {kind: each for kind, each in chosen.items() if each}


def _references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        target = value.get("$ref")
        if isinstance(target, str):
            _, _, kind, name = target.split("/")
            yield kind, name
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for each in value:
        yield from _references(each)


# Routes


def _path_of(route: Route) -> str:
    """Return the path of a route; OpenAPI has none for ``*``, so that it stands beside the root."""
    return "/" if route.pattern == "*" else "/" + _PLACE.sub(r"{\1}", route.pattern)


def _path_item(route: Route, path: str, *, has_keys: bool) -> Record:
    item: Record = {"parameters": _parameters_in(path)}
    if route.methods is None:
        item["x-any-method"] = True
        for method in _SHOWN:
            item[method.lower()] = _run_operation(route, method, has_keys=has_keys)
        return item
    for method in sorted(route.methods):
        told = OPERATIONS[route.endpoint, "GET" if method == "HEAD" else method]
        operation = _operation(told, route, has_keys=has_keys)
        item[method.lower()] = _as_head(operation) if method == "HEAD" else operation
    return item


def _parameters_in(path: str) -> list[Record]:
    names = ("requestId", *(f"path.{name}" for name in _PLACE.findall(path)))
    return [_reference("parameters", name) for name in names]


def _run_operation(route: Route, method: str, *, has_keys: bool) -> Record:
    operation = _operation(OPERATIONS[route.endpoint, "POST"], route, has_keys=has_keys)
    if method != "GET":
        return operation
    # OpenAPI knows no body of a GET, and the original takes one.
    del operation["requestBody"]
    return {**operation, "operationId": f"{operation['operationId']}ByGet"}


def _as_head(operation: Record) -> Record:
    return {
        **operation,
        "operationId": f"{operation['operationId']}Head",
        "responses": {status: _reference("responses", "Head") for status in operation["responses"]},
    }


def _operation(told: Operation, route: Route, *, has_keys: bool) -> Record:
    answers = dict(told.answers)
    answers.setdefault("400", "BadRequest")
    answers.setdefault("403", "Forbidden")
    answers.setdefault("default", "Refused")
    schemes = _schemes_of(route) if has_keys else ()
    if schemes:
        answers["401"] = "Unauthorized"
    return {
        "operationId": told.key + "".join(name.capitalize() for name in _PLACE.findall(route.pattern)[1:]),
        "tags": [_tag_of(route)],
        "summary": told.summary,
        **({"description": told.description} if told.description else {}),
        **({"parameters": [_reference("parameters", name) for name in told.parameters]} if told.parameters else {}),
        **({"requestBody": _reference("requestBodies", told.body)} if told.body else {}),
        "responses": {status: _reference("responses", answers[status]) for status in sorted(answers)},
        **({"security": [{name: []} for name in schemes]} if has_keys else {}),
    }


def _schemes_of(route: Route) -> Iterable[str]:
    if route.endpoint is Endpoint.TOKEN:
        return ("renewalKey",)
    return (_SCHEMES[route.api],) if route.api in _SCHEMES else ()


def _tag_of(route: Route) -> str:
    is_protocol = route.pattern.partition("/")[0] in {"v1", "v2"}
    return "protocol" if is_protocol else _TAGS.get(route.api, route.api.value)


def _reference(kind: str, name: str) -> Record:
    return {"$ref": f"#/components/{kind}/{name}"}


# Workflows that there are


def _workflow_item(shown: _Shown, *, has_keys: bool) -> Record:
    """Return what is said of running one workflow: as of any, by its own name."""
    route = next(each for each in ROUTES if each.endpoint is Endpoint.WORKFLOW_PREDICT)
    which = shown.name if shown.version is None else f"{shown.name} {shown.version}"
    key = ":".join(("predictWorkflow", shown.name, *([shown.version] if shown.version else [])))
    item: Record = {"parameters": _parameters_in(""), "x-any-method": True}
    for method in _SHOWN:
        operation = _run_operation(route, method, has_keys=has_keys)
        item[method.lower()] = {
            **operation,
            "operationId": key + ("ByGet" if method == "GET" else ""),
            "summary": f"Run {which}",
            "description": f"Nodes: {_listed(shown.nodes)}. The answer is that of {_listed(shown.leaves)}.",
        }
    return item


def _listed(names: Iterable[str]) -> str:
    # Descriptions are Markdown: a name must not end its quotation.
    return ", ".join(f"`{_UNFIT.sub('?', name)}`" for name in names)
