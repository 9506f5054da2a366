"""What operations of the interface share: parameters, bodies, headers and answers, by the names they have here.

Data and nothing else.
"""

from collections.abc import Mapping
from typing import Any

from wfctl.web.description.schemas import (
    ANYTHING,
    BYTES,
    FIELDS,
    TEXT,
    WORKFLOW_NAME,
    Schema,
    list_of,
    schema,
)

JSON = "application/json"
Part = Mapping[str, Any]

# Parameters


def _parameter(name: str, place: str, content: Schema, description: str = "") -> Part:
    told = description or content.get("description", "")
    plain = {key: value for key, value in content.items() if key != "description"}
    needed = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, **needed, "description": told, "schema": plain}


_PAGE: Schema = {"type": "integer", "minimum": 1, "maximum": 100, "default": 100}
_BEGIN: Schema = {"type": "integer", "minimum": 0, "maximum": 999_999_999, "default": 0}
_ID: Schema = {"type": "string", "pattern": r"^[A-Za-z0-9._:/+=@\-]{1,128}$"}
_TIMEOUT: Schema = {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,6})?(ms|s)?$", "example": "500ms"}
_ROLE: Schema = {"type": "string", "enum": ["inference", "management"]}
_DIRECTION: Schema = {"type": "string", "enum": ["LR", "TB"], "default": "LR"}

PATH_PARAMETERS: Mapping[str, Part] = {
    "path.workflow": _parameter(
        "workflow", "path", {"type": "string", "pattern": WORKFLOW_NAME}, "Name of a workflow."
    ),
    "path.version": _parameter("version", "path", TEXT, "Version of it."),
    "path.model": _parameter("model", "path", TEXT, "A node as a model: workflow, two underscores, node."),
    "path.file": _parameter("file", "path", TEXT, "A file of the page."),
    "path.node": _parameter("node", "path", TEXT, "Name of a node."),
    "path.rest": _parameter("rest", "path", TEXT, "The rest of the path, slashes and all; handlers of models get it."),
}
"""By ``path.`` and their names: a version may stand in the query, too."""

PARAMETERS: Mapping[str, Part] = {
    "requestId": _parameter("x-request-id", "header", _ID, "What the client calls the request."),
    "requestTimeout": _parameter(
        "x-request-timeout", "header", _TIMEOUT, "How long the client waits: seconds, or with `ms` milliseconds."
    ),
    "limit": _parameter("limit", "query", _PAGE, "Items on a page; 100 for what is none from 1 to 100."),
    "next_page_token": _parameter("next_page_token", "query", _BEGIN, "Where the page begins."),
    "type": {**_parameter("type", "query", _ROLE, "Which key is renewed."), "required": True},
    "direction": _parameter("direction", "query", _DIRECTION, "From left to right, or from top to bottom."),
    "name": _parameter("name[]", "query", list_of(TEXT), "Only metrics of these names."),
    **{name: _parameter(name, "query", content) for name, content in FIELDS.items()},
}

# Bodies


def _body(description: str, content: Mapping[str, Schema], *, required: bool) -> Part:
    told = {kind: {"schema": dict(each)} for kind, each in content.items()}
    return {"description": description, "required": required, "content": told}


_FIELDS_OF_TEXT: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_FIELDS_OF_BYTES: Schema = {"type": "object", "additionalProperties": BYTES}
_ALSO_IN_QUERY = "The parameters, which may also stand in the query; what stands here beats that."

BODIES: Mapping[str, Part] = {
    "Input": _body(
        "A form, whose fields the entry node gets by their names, or anything else, which it gets as `body`.",
        {
            JSON: ANYTHING,
            "application/octet-stream": BYTES,
            "text/plain": TEXT,
            "application/x-www-form-urlencoded": _FIELDS_OF_TEXT,
            "multipart/form-data": _FIELDS_OF_BYTES,
        },
        required=False,
    ),
    "Infer": _body("Tensors for the entry nodes.", {JSON: schema("InferRequest")}, required=True),
    "V1Predict": _body("Instances for the entry nodes.", {JSON: schema("V1Request")}, required=True),
    "Registering": _body(_ALSO_IN_QUERY, {JSON: schema("Registering")}, required=False),
    "Updating": _body(_ALSO_IN_QUERY, {JSON: schema("Updating")}, required=False),
    "Scaling": _body(_ALSO_IN_QUERY, {JSON: schema("Scaling")}, required=False),
    "ScalingNode": _body(_ALSO_IN_QUERY, {JSON: schema("ScalingNode")}, required=False),
}

# Answers


def _header(name: str) -> Part:
    return {"$ref": f"#/components/headers/{name}"}


HEADERS: Mapping[str, Part] = {
    "RequestId": {"description": "What the request is called.", "required": True, "schema": dict(_ID)},
    "RetryAfter": {"description": "Seconds after which another try is worth it.", "schema": {"type": "integer"}},
    "Authenticate": {"description": "How to show a key.", "schema": {"type": "string", "enum": ["Bearer"]}},
    "Allow": {"description": "The methods that there are, after 405.", "schema": dict(TEXT)},
}


def _answer(description: str, content: Mapping[str, Schema], **headers: str) -> Part:
    told = {"x-request-id": "RequestId", **{name.replace("_", "-"): each for name, each in headers.items()}}
    bodies = {"content": {kind: {"schema": dict(each)} for kind, each in content.items()}} if content else {}
    return {"description": description, "headers": {name: _header(each) for name, each in told.items()}, **bodies}


def _json(description: str, content: Schema | str, **headers: str) -> Part:
    return _answer(description, {JSON: schema(content) if isinstance(content, str) else content}, **headers)


_BYTES_OR_ERROR: Mapping[str, Schema] = {JSON: ANYTHING, "*/*": BYTES}
_OF_PAGES = ("text/html", "text/css", "text/javascript", "image/svg+xml")
_HANDLERS_OWN = " Handlers of a leaf may set this status, and then the body is theirs."

ANSWERS: Mapping[str, Part] = {
    "Done": _json("It is done.", "Status"),
    "Begun": _json("It is being done.", "Status"),
    "Fit": _json("All workflows have the workers that they should have.", "Status"),
    "Unfit": _json("Some workflow lacks workers.", "Status"),
    "NotNow": _json("The server starts, or ends.", "Status"),
    "Live": _json("The server answers.", "Live"),
    "Ready": _json("All is loaded.", "Ready"),
    "Unready": _json("Not yet, or no more.", "Ready"),
    "ModelReady": _json("It has the workers that it should have.", "ModelReady"),
    "ModelUnready": _json("It lacks workers, or the server ends.", "ModelReady"),
    "ModelSaysReady": _json("Whether it has the workers that it should have.", "ModelReady"),
    "ServerMetadata": _json("The server.", "ServerMetadata"),
    "ModelMetadata": _json("The workflow as a model.", "ModelMetadata"),
    "Inferred": _json("What the leaves wrote, as tensors.", "InferResponse"),
    "V1Predicted": _json("What the leaves wrote.", "V1Response"),
    "Output": _answer("What the leaf wrote, or an object with one key for each of several leaves.", _BYTES_OR_ERROR),
    "WorkflowList": _json("One page.", "WorkflowList"),
    "Workflows": _json("The versions that were asked for: one, or all.", list_of(schema("Workflow"))),
    "Node": _json("The node.", "Node"),
    "ModelList": _json("One page.", "ModelList"),
    "Models": _json("A list of one.", list_of(schema("Model"))),
    "Document": _json("The document.", "Document"),
    "NoContent": _answer("It is done; the answer is empty.", {}),
    "Head": _answer("As the answer to GET, without its body.", {}),
    "StatusPage": _answer("The page, or a file of it.", dict.fromkeys(_OF_PAGES, TEXT)),
    "StatusDrawing": _json("A picture, and where its nodes are.", "StatusDrawing"),
    "StatusData": _json("What the page shows.", "StatusData"),
    "Metrics": _answer("Prometheus' text format.", {"text/plain": TEXT}),
    "BadRequest": _json("The request is not as it should be.", "Error"),
    "Unauthorized": _json("The key is missing, wrong or expired.", "Error", www_authenticate="Authenticate"),
    "Forbidden": _json("Web pages may not do this, the host is another one, or what was asked for is.", "Error"),
    "NotFound": _json("There is no such thing.", "Error"),
    "Conflict": _json("It is there already.", "Error"),
    "Failed": _json("It did not work.", "Error"),
    "Refused": _json(
        "What no operation has seen: 405, 408, 413, 414, 417, 431, 501, 503, 505. Or the server failed: 500.",
        "Error",
        allow="Allow",
        retry_after="RetryAfter",
    ),
    "BadInput": _answer("The input cannot be read." + _HANDLERS_OWN, _BYTES_OR_ERROR),
    "NothingToRun": _answer("There is no such workflow, version or node." + _HANDLERS_OWN, _BYTES_OR_ERROR),
    "TooLarge": _json("The body is too large.", "Error"),
    "BadEncoding": _json("The body is compressed in another way than by gzip.", "Error"),
    "NodeFailed": _answer("A node failed." + _HANDLERS_OWN, _BYTES_OR_ERROR),
    "Overloaded": _answer(
        "More would wait than may; nothing was done." + _HANDLERS_OWN, _BYTES_OR_ERROR, retry_after="RetryAfter"
    ),
    "TimedOut": _answer("A node, or the client's own time, ran out." + _HANDLERS_OWN, _BYTES_OR_ERROR),
    "HandlersOwn": _answer(
        "What the leaf's handler set; or what no operation has seen: 405, 408, 413, 414, 417, 431, 501, 503, 505.",
        _BYTES_OR_ERROR,
        retry_after="RetryAfter",
    ),
}
