"""The document of the interface: it is one, it says what the routes and the code say, and what we answer fits it."""

import ast
import json
import re
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes.plans import plan_of
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate
from referencing import Registry as Documents
from referencing.jsonschema import DRAFT4

import wfctl
from wfctl.service import registry as registry_module
from wfctl.web import request_ids
from wfctl.web.access.auth import Keys
from wfctl.web.answers import error_response, status_response
from wfctl.web.asked import Asked
from wfctl.web.description import document as openapi
from wfctl.web.description import schemas as openapi_schemas
from wfctl.web.description.document import api_description, model_description_of
from wfctl.web.description.operations import OPERATIONS
from wfctl.web.endpoints.describe import model_description, workflow_description
from wfctl.web.endpoints.health import Health
from wfctl.web.endpoints.inference import deadline_of
from wfctl.web.endpoints.parameters import Parameters, page_of
from wfctl.web.routes import ROUTES, Api, Endpoint, match
from wfctl.web.site import Site
from wfctl.web.wire.messages import Fields, Head
from wfctl.web.wire.targets import read_target

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
DIAMOND = "pre > cnn > vote, pre > mlp > vote"


class Registered:
    """A registry of workflows that nobody opened; the first version of each is the default."""

    def __init__(self, *workflows: tuple[str, str, str]) -> None:
        self._all = [
            SimpleNamespace(
                name=name,
                version=version,
                deployment=SimpleNamespace(prepared=SimpleNamespace(plan=plan_of(edges))),
            )
            for name, version, edges in workflows
        ]

    def __iter__(self):
        return iter(self._all)

    def versions(self, name):
        return tuple(each for each in self._all if each.name == name)

    def is_default(self, served) -> bool:
        return self.versions(served.name)[0] is served


def asked_with(**headers: str) -> Asked:
    return Asked(Head("GET", "/api-description", 1, Fields(headers)), "1", 0.0)


def document_of(*workflows: tuple[str, str, str], keys: Keys | None = None, **headers: str):
    answer = api_description(Site(registry=Registered(*workflows), keys=keys), asked_with(**headers))
    assert (answer.status, answer.content_type) == (200, "application/json")
    return json.loads(bytes(answer.body))


@pytest.fixture(scope="module")
def plain():
    return document_of()


@pytest.fixture
def keys(tmp_path: Path):
    return Keys.create(tmp_path / "key_file.json", lifetime_min=60)


def key_of(tmp_path: Path, role: str) -> str:
    return "Bearer " + json.loads((tmp_path / "key_file.json").read_text(encoding="utf-8"))[role]["key"]


def everything_in(value, path=()):
    """Yield every object in a document, with the names that lead to it."""
    if isinstance(value, dict):
        yield path, value
    for name, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from everything_in(each, (*path, name))


def operations_in(document):
    return {
        (method.upper(), path): item[method]
        for path, item in document["paths"].items()
        for method in METHODS & item.keys()
    }


def resolved(document, reference: str):
    assert reference.startswith("#/")
    for name in reference[2:].split("/"):
        document = document[name]
    return document


def strict(document):
    """Return a copy in which an object has no fields but those that are named."""
    copy = deepcopy(document)
    for _, each in everything_in(copy):
        if isinstance(each.get("properties"), dict) and each.get("type") == "object":
            each["additionalProperties"] = False
    return copy


def fits(document, name: str, value) -> None:
    """Raise if a value is not what a schema of the document says, with these fields and no others."""
    contents = Documents().with_resource("urn:all", DRAFT4.create_resource(strict(document)))
    validator = OAS30Validator({"$ref": f"urn:all#/components/schemas/{name}"}, registry=contents)
    validator.validate(value)


# One document


def test_the_document_is_valid(plain, keys: Keys, tmp_path: Path) -> None:
    validate(plain)
    validate(document_of(("flow", "1.0", DIAMOND), ("flow", "2.0", "a > b"), ("other", "1.0", "a > b")))
    validate(document_of(("flow", "1.0", DIAMOND), keys=keys, authorization=key_of(tmp_path, "inference")))
    validate(model_description_of("flow__pre"))


def test_the_document_says_what_it_describes(plain) -> None:
    assert plain["openapi"] == "3.0.3"
    assert plain["info"]["title"] == "wfctl"
    assert plain["info"]["version"] == wfctl.__version__
    assert [each["name"] for each in plain["tags"]] == ["inference", "protocol", "management", "metrics"]


def test_every_route_and_method_is_in_it_and_nothing_else(plain) -> None:
    wanted = set()
    for route in ROUTES:
        path = "/" + re.sub(r"\.\.\.}", "}", "" if route.pattern == "*" else route.pattern)
        assert plain["paths"][path].get("x-any-method", False) is (route.methods is None)
        wanted |= {(method, path) for method in route.methods or ("GET", "POST")}
    assert operations_in(plain).keys() == wanted


def test_every_operation_leads_to_its_route(plain) -> None:
    endpoints = {key: endpoint for (endpoint, _), each in OPERATIONS.items() for key in [each.key]}
    for (method, path), operation in operations_in(plain).items():
        target = read_target(re.sub(r"\{(\w+)\}", "some", path))
        found = match(method, target, frozenset(Api))
        assert found is not None
        own = {each["$ref"].rpartition("/")[2] for each in plain["paths"][path]["parameters"]}
        assert own == {"requestId", *(f"path.{name}" for name in found.names)}
        key = max((key for key in endpoints if operation["operationId"].startswith(key)), key=len)
        assert endpoints[key] is found.route.endpoint


def test_nothing_is_said_of_what_has_no_route() -> None:
    told = {endpoint for endpoint, _ in OPERATIONS}
    assert told == {route.endpoint for route in ROUTES} == set(Endpoint)
    methods = {
        (route.endpoint, method) for route in ROUTES for method in (route.methods or {"POST"}) if method != "HEAD"
    }
    assert OPERATIONS.keys() == methods


def test_a_route_that_nothing_is_said_of_is_an_error(monkeypatch) -> None:
    monkeypatch.setattr(openapi, "OPERATIONS", {})
    openapi._whole.cache_clear()
    with pytest.raises(KeyError):
        document_of()


def test_operations_have_names_of_their_own(plain) -> None:
    names = [each["operationId"] for each in operations_in(plain).values()]
    assert len(set(names)) == len(names)


def test_every_reference_leads_somewhere_and_every_part_is_referred_to(plain) -> None:
    references = {each["$ref"] for _, each in everything_in(plain) if isinstance(each.get("$ref"), str)}
    for reference in references:
        resolved(plain, reference)
    parts = {f"#/components/{kind}/{name}" for kind, each in plain["components"].items() for name in each}
    assert parts == references


def test_nothing_is_defined_in_vain(plain) -> None:
    assert plain["components"]["schemas"].keys() == openapi_schemas.SCHEMAS.keys()
    assert plain["components"]["parameters"].keys() == {*openapi.PARAMETERS, *openapi.PATH_PARAMETERS}
    assert plain["components"]["requestBodies"].keys() == openapi.BODIES.keys()
    assert {*plain["components"]["responses"], "Unauthorized"} == set(openapi.ANSWERS)


def test_examples_and_defaults_are_what_the_schemas_say(plain) -> None:
    contents = Documents().with_resource("urn:all", DRAFT4.create_resource(plain))
    found = 0
    for path, each in everything_in(plain):
        for name in ("example", "default"):
            if name in each and "properties" not in path[-1:] and path[-1:] != ("responses",):
                pointer = "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in path)
                OAS30Validator({"$ref": f"urn:all#/{pointer}"}, registry=contents).validate(each[name])
                found += 1
    assert found >= 20


def test_bodies_have_examples_for_people_who_try(plain) -> None:
    for name in ("Registering", "Scaling", "InferRequest", "V1Request", "Error", "InferResponse"):
        assert "example" in plain["components"]["schemas"][name]


# What the code says


def read_names() -> dict[str, set[str]]:
    """Return name -> ways of reading, of every parameter that the sources read from ``Parameters``."""
    found: dict[str, set[str]] = {}
    root = Path(wfctl.__file__).parent
    files = [*(root / "web").rglob("*.py"), *(root / "cli").glob("serve*.py"), *(root / "service").glob("*.py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
            if is_call and node.func.attr in {"text", "number", "switch"} and isinstance(node.args[0], ast.Constant):
                found.setdefault(node.args[0].value, set()).add(node.func.attr)
    return {name: ways for name, ways in found.items() if isinstance(name, str)}


def test_every_parameter_that_is_read_is_in_it_with_its_type(plain) -> None:
    parameters = {
        each["name"]: each["schema"] for each in plain["components"]["parameters"].values() if each["in"] == "query"
    }
    types = {"text": "string", "number": "integer", "switch": "boolean"}
    names = read_names()
    assert {"url", "workflow_name", "min_worker", "max_worker", "synchronous"} <= names.keys()
    for name, ways in names.items():
        assert {parameters[name]["type"]} == {types[way] for way in ways}, name


@pytest.mark.parametrize("name", ["min_worker", "max_worker", "response_timeout", "startup_timeout"])
def test_bounds_of_numbers_can_be_read(plain, name: str) -> None:
    bounds = plain["components"]["parameters"][name]["schema"]
    least = bounds["minimum"]
    for value in (least, bounds["maximum"]):
        assert Parameters({name: str(value)}).number(name, None, least=least) == value


def test_pages_are_as_it_says(plain) -> None:
    limit, begin = (plain["components"]["parameters"][name]["schema"] for name in ("limit", "next_page_token"))
    for query, page in {
        "": (begin["default"], limit["default"]),
        f"?limit={limit['maximum']}&next_page_token={begin['maximum']}": (begin["maximum"], limit["maximum"]),
        f"?limit={limit['minimum']}": (begin["default"], limit["minimum"]),
        f"?limit={limit['maximum'] + 1}": (begin["default"], limit["default"]),
        f"?limit={limit['minimum'] - 1}": (begin["default"], limit["default"]),
    }.items():
        asked = asked_with()
        asked.target = read_target(f"/models{query}")
        assert page_of(asked) == page


def test_patterns_are_those_of_the_code(plain) -> None:
    parameters = {name: each["schema"] for name, each in plain["components"]["parameters"].items()}
    assert parameters["path.workflow"]["pattern"] == f"^{registry_module._NAME.pattern}$"
    assert parameters["workflow_name"]["pattern"] == f"^{registry_module._NAME.pattern}$"
    assert parameters["version"]["pattern"] == f"^{registry_module._VERSION.pattern}$"
    assert parameters["requestId"]["pattern"] == f"^{request_ids._OWN.pattern}$"
    for text in ("1", "2.5s", "500ms", "000000001", "0.000001"):
        assert re.search(parameters["requestTimeout"]["pattern"], text)
        assert deadline_of({"x-request-timeout": text})


def test_every_answer_is_one_that_json_clients_can_read(plain) -> None:
    for operation in operations_in(plain).values():
        assert {"400", "403", "default"} < operation["responses"].keys()
        assert {status[0] for status in operation["responses"]} & {"2"}
    for answer in plain["components"]["responses"].values():
        assert "x-request-id" in answer["headers"]


# What we answer


def test_errors_are_as_it_says(plain) -> None:
    finding = {"code": "WF301", "message": "no", "line": 1, "column": 2}
    for answer in (
        error_response(404, "nothing"),
        error_response(400, "wrong", more={"hint": "right"}),
        error_response(400, "wrong", more={"findings": [finding, {"code": "WF101", "message": "no"}]}),
    ):
        fits(plain, "Error", json.loads(answer.body))
    fits(plain, "Status", json.loads(status_response("done").body))


def test_health_is_as_it_says(plain) -> None:
    site = Site(registry=Registered(), is_ready=True)
    health = Health(site)
    fits(plain, "Status", json.loads(health.ping(asked_with()).body))
    fits(plain, "Live", json.loads(health.live(asked_with()).body))
    fits(plain, "Ready", json.loads(health.ready(asked_with()).body))
    fits(plain, "ServerMetadata", json.loads(health.metadata(asked_with()).body))


def test_a_schema_that_lacks_a_field_is_found_out(plain) -> None:
    with pytest.raises(Exception, match="further"):
        fits(plain, "Live", {"live": True, "further": 1})


def test_descriptions_are_as_it_says(plain, tmp_path: Path) -> None:
    (tmp_path / "workflow.yaml").write_text("dag:\n  first: [second]\n", encoding="utf-8")
    handler = "def {}(data, context):\n    return data and [bytes(row['body']) for row in data]\n"
    (tmp_path / "handler.py").write_text(handler.format("first") + handler.format("second"), encoding="utf-8")
    with wfctl.open_deployment(tmp_path) as flow:
        flow.predict(b"x")
        served = registry_module.Served(
            name="flow",
            version="1.0",
            wish=registry_module.Wish(request=None, url="flow.war"),
            deployment=SimpleNamespace(prepared=flow.prepared, engine=flow.engine),
        )
        described = workflow_description(served, is_default=True, versions=["1.0"])
        as_model = model_description(served, flow.prepared.plan.nodes[0])
    assert described["wfctl"]["nodes"][0]["workers"]
    fits(plain, "Workflow", described)
    fits(plain, "Model", as_model)


# Keys


def test_without_keys_nothing_is_said_of_them(plain) -> None:
    assert "securitySchemes" not in plain["components"]
    assert not [each for each in operations_in(plain).values() if "security" in each or "401" in each["responses"]]


def test_with_keys_every_operation_says_which_it_needs(keys: Keys) -> None:
    document = document_of(keys=keys)
    schemes = document["components"]["securitySchemes"]
    assert {(each["type"], each["scheme"]) for each in schemes.values()} == {("http", "bearer")}
    needed = {}
    for (method, path), operation in operations_in(document).items():
        found = match(method, read_target(re.sub(r"[{}]", "", path)), frozenset(Api))
        needed.setdefault((found.route.api, found.route.endpoint is Endpoint.TOKEN), []).append(operation)
    for (api, is_token), operations in needed.items():
        name = {Api.INFERENCE: "inferenceKey", Api.MANAGEMENT: "managementKey"}.get(api)
        name = "renewalKey" if is_token else name
        for operation in operations:
            assert operation["security"] == ([] if name is None else [{name: []}])
            assert ("401" in operation["responses"]) is (name is not None)


@pytest.mark.parametrize("role", ["inference", "management"])
def test_with_keys_workflows_are_told_of_to_who_has_one(keys: Keys, tmp_path: Path, role: str) -> None:
    told = document_of(("flow", "1.0", DIAMOND), keys=keys, authorization=key_of(tmp_path, role))
    assert "/wfpredict/flow" in told["paths"]
    untold = document_of(("flow", "1.0", DIAMOND), keys=keys)
    assert "flow" not in [path.rpartition("/")[2] for path in untold["paths"]]
    assert untold == document_of(keys=keys, authorization="Bearer no-key-of-ours")


# Workflows that there are


def test_each_workflow_has_its_own_path_with_its_nodes() -> None:
    document = document_of(("flow", "1.0", DIAMOND))
    item = document["paths"]["/wfpredict/flow"]
    assert METHODS & item.keys() == {"get", "post"}
    assert item["post"]["description"] == "Nodes: `pre`, `cnn`, `vote`, `mlp`. The answer is that of `vote`."
    assert "/wfpredict/flow/1.0" not in document["paths"]
    assert item["post"]["requestBody"]
    assert "requestBody" not in item["get"]


def test_versions_have_paths_where_there_are_several() -> None:
    document = document_of(("flow", "1.0", DIAMOND), ("flow", "2.0", "a > b"), ("flow_1", "0", "a > b"))
    own = {path for path in document["paths"] if path.startswith("/wfpredict/flow")}
    assert own == {"/wfpredict/flow", "/wfpredict/flow/1.0", "/wfpredict/flow/2.0", "/wfpredict/flow_1"}
    names = [each["operationId"] for each in operations_in(document).values()]
    assert len(set(names)) == len(names)


def test_names_of_nodes_stay_names() -> None:
    document = document_of(("flow", "1.0", "a` <script> > b"))
    assert "<script" not in json.dumps(document)


def test_the_document_follows_the_registry() -> None:
    assert "/wfpredict/one" in document_of(("one", "1.0", "a > b"))["paths"]
    assert "/wfpredict/one" not in document_of(("two", "1.0", "a > b"))["paths"]


# One model


def test_a_model_is_described_by_its_own_name() -> None:
    document = model_description_of("flow__a b")
    assert {(method, path) for method, path in operations_in(document)} == {
        *((method, "/models/flow__a%20b") for method in ("GET", "HEAD", "PUT", "OPTIONS")),
        *((method, "/models/flow__a%20b/{version}") for method in ("GET", "HEAD", "PUT")),
        ("PUT", "/models/flow__a%20b/{version}/set-default"),
    }
    references = {each["$ref"] for _, each in everything_in(document) if "$ref" in each}
    parts = {f"#/components/{kind}/{name}" for kind, each in document["components"].items() for name in each}
    assert parts == references
    assert [each["name"] for each in document["tags"]] == ["management"]
