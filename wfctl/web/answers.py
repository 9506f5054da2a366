"""What a server says, in the words and the form that clients of the original know.

Pure. Invariant: nothing of this machine is told that a client has no use for: no paths, no tracebacks.
"""

import json
from collections.abc import Mapping
from typing import Any

from wfctl.diagnostics.model import Severity
from wfctl.diagnostics.report import InvalidWorkflowError, Report
from wfctl.errors import BadInputError, Blame, OverloadedError, RunError, WfctlError
from wfctl.web.wire.messages import RequestError, Response

JSON = "application/json"

NOT_FOUND = "Requested resource is not found, please refer to API document."
NOT_ALLOWED = "Requested method is not allowed, please refer to API document."
BAD_KEY = "Token Authorization failed. Token either incorrect, expired, or not provided correctly"

_TYPES: Mapping[int, str] = {
    400: "BadRequestException",
    401: "InvalidKeyException",
    403: "ForbiddenException",
    404: "ResourceNotFoundException",
    405: "MethodNotAllowedException",
    408: "RequestTimeoutException",
    409: "ConflictStatusException",
    413: "RequestEntityTooLargeException",
    415: "UnsupportedMediaTypeException",
    503: "ServiceUnavailableException",
}
_USUAL_TYPE = "InternalServerException"
_FIRST_OF_OURS = 500

_NO_VERDICT, _USUAL_FAILURE = 503, "Prediction failed"
"""What workers say of a handler that raised anything, or answered what is none."""

_KNOWN: Mapping[str, tuple[int, str]] = {
    "unknown-workflow": (404, "WorkflowNotFoundException"),
    "unknown-version": (404, "WorkflowVersionNotFoundException"),
    "unknown-model": (404, "ModelNotFoundException"),
    "unknown-model-version": (404, "ModelVersionNotFoundException"),
    "unknown-node": (404, "ModelNotFoundException"),
    "already-registered": (409, "ConflictStatusException"),
    "changed-meanwhile": (409, "ConflictStatusException"),
    "default-version": (403, "InvalidModelVersionException"),
    "bad-name": (400, "BadRequestException"),
    "bad-archive": (400, "InvalidWorkflowException"),
    "unreadable-input": (404, "WorkflowNotFoundException"),
    "not-in-store": (404, "WorkflowNotFoundException"),
    "not-allowed": (404, "WorkflowNotFoundException"),
    "not-fetched": (400, "DownloadArchiveException"),
    "not-trusted": (403, "UntrustedArchiveException"),
    "unsupported": (400, "BadRequestException"),
    "overloaded": (503, "ServiceUnavailableException"),
    "load-failed": (500, "WorkflowException"),
    "worker-lost": (500, "WorkflowException"),
}
"""Code of an error -> status, and the type that clients see."""

_GRAPH_RULES: Mapping[str, str] = {
    "WF301": "Not a valid DAG",
    "WF302": "Self loop exception",
    "WF303": "loop exception",
    "WF305": "DAG should have only one start node",
}
"""Findings about the graph, and the original's words for them."""


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON as the original writes it: indented by two, and a line end."""
    return Response(status, (json.dumps(value, indent=2) + "\n").encode(), JSON, headers)


def status_response(text: str, status: int = 200) -> Response:
    """Answer that something was done."""
    return json_response({"status": text}, status)


def error_response(
    status: int,
    message: str,
    *,
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """Answer why something was not done; ``more`` stands beside what the original says."""
    name = kind or _TYPES.get(status) or (_USUAL_TYPE if status >= _FIRST_OF_OURS else _TYPES[400])
    return json_response({"code": status, "type": name, "message": message, **(more or {})}, status, headers)


def failure_response(error: WfctlError | RequestError) -> Response:
    """Answer with an error of ours, or with the refusal of a request."""
    if isinstance(error, BadInputError | RequestError):
        return error_response(error.status, error.message)
    if isinstance(error, RunError):
        # Whatever the status: the original's type for all that comes from a node.
        return error_response(error.status, error.message, kind=_USUAL_TYPE)
    if isinstance(error, OverloadedError):
        return error_response(503, error.message, headers={"retry-after": str(error.retry_after_s)})
    if isinstance(error, InvalidWorkflowError):
        return _invalid(error.report)
    status, kind = _KNOWN.get(error.code, (400 if error.blame is Blame.USER else 500, _USUAL_TYPE))
    more = {"hint": error.hint} if error.hint and error.blame is Blame.USER else None
    return error_response(status, error.message, kind=kind, more=more)


def workflow_failure_response(error: WfctlError) -> Response:
    """Answer with why a workflow has no answer.

    A handler that gave no verdict of its own is the server's failure (500), in the original's words for a workflow; a
    node that is asked by itself says what its worker says, 503, as there.
    """
    is_plain = type(error) is RunError and error.status == _NO_VERDICT
    if not is_plain or not isinstance(error, RunError):
        return failure_response(error)
    more = "" if error.message == _USUAL_FAILURE else f": {error.message}"
    return error_response(500, f"Error executing {error.node}{more}", kind=_USUAL_TYPE)


def _invalid(report: Report) -> Response:
    """Answer with the findings, below the words that the original has for the worst of them."""
    errors = [each for each in report if each.severity is Severity.ERROR]
    words = next((_GRAPH_RULES[each.code] for each in errors if each.code in _GRAPH_RULES), None)
    findings = [
        {
            "code": each.code,
            "message": each.message,
            **({"line": each.span.start.line, "column": each.span.start.column} if each.span else {}),
        }
        for each in errors
    ]
    kind = "InvalidWorkflowException" if words is None else "InvalidDAGException"
    first = f"{errors[0].code}: {errors[0].message}" if errors else "The workflow is not valid."
    return error_response(400, words or first, kind=kind, more={"findings": findings})
