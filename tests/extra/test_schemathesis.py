"""A real server is asked whatever its own document allows, and much that it does not: no answer but those it names.

Handlers here never fail, so that a 500 is the server's own. ``WFCTL_API_EXAMPLES`` asks for more than 20 of each.
"""

import json
import os
import subprocess
from copy import deepcopy
from pathlib import Path
from textwrap import dedent

import pytest
import requests
import schemathesis
from fakes.served import WFCTL, Served
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from wfctl.web.asked import Asked
from wfctl.web.description.document import api_description
from wfctl.web.site import Site
from wfctl.web.wire.messages import Fields, Head

load_all_checks()
CONFORMANCE = CHECKS.get_by_names(
    [
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "unsupported_method",
        "allow_header_conformance",
    ]
)
METHODS = {"get", "put", "post", "delete", "options", "head"}
EXAMPLES = int(os.environ.get("WFCTL_API_EXAMPLES", "20"))
OPENS_WORKFLOWS = {("post", "/workflows"), ("put", "/workflows/{workflow}")}
KNOWN = {
    "workflow": "flow",
    "version": "1.0",
    "model": "flow__first",
    "node": "first",
    "rest": "of/it",
    "file": "status.css",
}
MOST_WORKERS = 3
SPEC = """
    models:
      max-workers: 4
      timeout-ms: 20000
    dag:
      first: [second]
"""
HANDLER = """
    def first(data, context):
        return data and answers(data, context, "text/plain", "seen")


    def second(data, context):
        return data and answers(data, context, "application/json", [1, 2])


    def answers(data, context, kind, answer):
        for at in range(len(data)):
            context.set_response_content_type(at, kind)
        return [answer for _ in data]
"""


def operations_of(document):
    return [(method, path) for path, item in document["paths"].items() for method in item if method in METHODS]


def own_operations():
    answer = api_description(Site(registry=()), Asked(Head("GET", "/", 1, Fields({})), "1", 0.0))
    return operations_of(json.loads(answer.body))


def questions():
    """Yield method, path and the names in it: those of what there is, or of what may be."""
    for method, path in own_operations():
        names = {name: value for name, value in KNOWN.items() if f"{{{name}}}" in path}
        yield pytest.param(method, path, {}, id=f"{method} {path}")
        if names and method != "delete":  # there would be nothing left to ask
            yield pytest.param(method, path, names, id=f"{method} {path} of what there is")


def narrowed(document):
    """Return the document without what lets anything pass, and with no more workers than a machine has room for."""
    found = deepcopy(document)
    for method, path in operations_of(found):
        del found["paths"][path][method]["responses"]["default"]
    parts = found["components"]
    for schema in parts["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    fields = [{name: each["schema"] for name, each in parts["parameters"].items()}]
    fields += [parts["schemas"][name]["properties"] for name in ("Registering", "Updating", "Scaling", "ScalingNode")]
    for each in fields:
        for name in {"min_worker", "max_worker"} & each.keys():
            each[name]["maximum"] = MOST_WORKERS
        if "url" in each:
            each["url"]["enum"] = ["flow.war", "missing.war"]
    return found


def archived(folder: Path) -> Path:
    """Write a store with an archive of a workflow into a folder."""
    (folder / "workflow.yaml").write_text(dedent(SPEC), encoding="utf-8")
    (folder / "handler.py").write_text(dedent(HANDLER), encoding="utf-8")
    (folder / "store").mkdir()
    words = ["archive", "--spec-file", "workflow.yaml", "--handler", "handler.py", "--workflow-name", "flow"]
    subprocess.run([str(WFCTL), *words, "--export-path", "store"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = archived(tmp_path_factory.mktemp("api"))
    with Served(folder, "store/flow.war", "--workflow-store", "store") as server:
        yield server


@pytest.fixture(scope="module")
def api(served: Served):
    return schemathesis.openapi.from_dict(narrowed(served.ask("GET", "/api-description").json))


def address_of(served: Served, tag: str) -> str:
    return f"http://127.0.0.1:{served.ports['inference' if tag == 'protocol' else tag]}"


def held(case, served: Served):
    """Send one request, hold its answer to the document and return it."""
    (tag,) = case.operation.definition.raw["tags"]
    response = case.call(base_url=address_of(served, tag), timeout=60, allow_redirects=False)
    gave_little_time = "x-request-timeout" in {name.lower() for name in case.headers or {}}
    may_fail = response.status_code == 504 and gave_little_time
    assert response.status_code < 500 or may_fail, (response.status_code, response.content[:500])
    case.validate_response(response, checks=CONFORMANCE)
    return response


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path", "names"), list(questions()))
def test_answers_are_those_of_the_document(served: Served, api, method: str, path: str, names, mode) -> None:
    operation = api[path][method]
    fixed = {"path_parameters": names} if names else {}

    @settings(
        max_examples=min(EXAMPLES, 5) if (method, path) in OPENS_WORKFLOWS else EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, **fixed))
    def ask(case) -> None:
        held(case, served)

    ask()


def test_the_life_of_a_workflow_is_as_the_document_says(served: Served, api) -> None:
    def status(method: str, path: str, names=None, **query: object) -> int:
        return held(api[path][method].Case(path_parameters=names or {}, query=query), served).status_code

    one, second = {"workflow": "other"}, {"workflow": "other", "version": "2.0"}
    node = {"workflow": "other", "node": "first"}
    assert status("post", "/workflows", url="flow.war", workflow_name="other") == 200
    assert status("post", "/workflows", url="flow.war", workflow_name="other") == 409
    assert status("post", "/workflows", url="flow.war", workflow_name="other", version="2.0") == 200
    assert status("get", "/workflows", limit=1) == 200
    assert status("get", "/workflows/{workflow}/{version}", {"workflow": "other", "version": "all"}) == 200
    assert status("put", "/workflows/{workflow}/{version}/set-default", second) == 200
    assert status("delete", "/workflows/{workflow}/{version}", second) == 403
    assert status("put", "/workflows/{workflow}", one, url="flow.war") == 200
    assert status("get", "/workflows/{workflow}/nodes/{node}", node) == 200
    assert status("put", "/workflows/{workflow}/nodes/{node}", node, min_worker=2, synchronous=True) == 200
    assert status("put", "/models/{model}", {"model": "other__first"}, min_worker=1) == 202
    assert "/wfpredict/other/2.0" in served.ask("GET", "/api-description").json["paths"]
    assert status("delete", "/workflows/{workflow}/{version}", {"workflow": "other", "version": "1.0"}) == 200
    assert status("delete", "/workflows/{workflow}", one) == 200
    assert status("get", "/workflows/{workflow}", one) == 404


def test_keys_open_what_the_document_says(tmp_path: Path) -> None:
    folder = archived(tmp_path)
    with Served(
        folder, "store/flow.war", "--workflow-store", "store", "--token-auth", "--key-file", "keys.json"
    ) as served:
        record = json.loads((folder / "keys.json").read_text(encoding="utf-8"))
        keys = {
            "inferenceKey": record["inference"]["key"],
            "managementKey": record["management"]["key"],
            "renewalKey": record["API"]["key"],
        }
        document = served.ask("GET", "/api-description").json
        for method, path in operations_of(document):
            if method != "delete" and (method, path) not in OPENS_WORKFLOWS:
                wanted = [name for each in document["paths"][path][method]["security"] for name in each]
                (tag,) = document["paths"][path][method]["tags"]
                assert opened_by(keys, address_of(served, tag), method, path) == (wanted or [None, *keys]), (
                    method,
                    path,
                )


def opened_by(keys, address: str, method: str, path: str) -> list[str | None]:
    """Return which keys let a request pass, ``None`` for none at all."""
    url = address + path.format_map(KNOWN)
    found: list[str | None] = []
    for name, key in ((None, None), *keys.items()):
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        if requests.request(method, url, headers=headers, timeout=60).status_code != 401:
            found.append(name)
    return found
