"""What can be asked: one entry for each method of each endpoint.

Data and nothing else; ``openapi`` puts it together with the table of routes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wfctl.web.description.schemas import REGISTERING, SCALING, UPDATING
from wfctl.web.routes import Endpoint

INTRODUCTION = """\
Runs workflows of models: graphs in which the output of one node is the input of others.

* Operations tagged `inference` and `protocol` listen at the inference address, `management` and `metrics` at their own.
* Every answer has an `x-request-id`: the client's own, or a new one.
* What was refused or failed is told as an `Error`.
* Inputs of runs may be compressed with `content-encoding: gzip`.
* Web pages of other servers, and requests to a host that is not this one, are refused (403)."""

TAGS: Mapping[str, str] = {
    "inference": "Running workflows, or one node of them, and asking how the server is.",
    "protocol": "The same in the words of the Open Inference Protocol (version 2) and of KServe's version 1.",
    "management": "Registering, describing, updating, scaling and removing workflows.",
    "metrics": "Numbers for whoever watches the server.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is said of one method of an endpoint; parameters, bodies and answers by the names of their tables."""

    key: str
    """What its id begins with."""
    summary: str
    description: str = ""
    parameters: tuple[str, ...] = ()
    body: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    """Status -> answer; what is the same for all is added to it."""


_RUN: Mapping[str, str] = {
    "400": "BadInput",
    "404": "NothingToRun",
    "413": "TooLarge",
    "415": "BadEncoding",
    "500": "NodeFailed",
    "503": "Overloaded",
    "504": "TimedOut",
    "default": "HandlersOwn",
}
_NAMED = {"404": "NotFound"}
_CHANGED = {"413": "TooLarge", "500": "Failed"}
_SCALED = {"200": "Done", "202": "Begun", **_NAMED, **_CHANGED}
_PAGED = ("limit", "next_page_token")

_OPENED = {"200": "Done", **_NAMED, **_CHANGED, "409": "Conflict"}
_ANY_METHOD = "Any other method does the same."

OPERATIONS: Mapping[tuple[Endpoint, str], Operation] = {
    (Endpoint.API_DESCRIPTION, "GET"): Operation(
        key="apiDescription", summary="This document", answers={"200": "Document"}
    ),
    (Endpoint.API_DESCRIPTION, "OPTIONS"): Operation(
        key="apiDescriptionOptions",
        summary="This document",
        description="Also as `OPTIONS *`.",
        answers={"200": "Document"},
    ),
    (Endpoint.PING, "GET"): Operation(
        key="ping", summary="Is all well?", answers={"200": "Fit", "500": "Unfit", "503": "NotNow"}
    ),
    (Endpoint.WORKFLOW_PREDICT, "POST"): Operation(
        key="predictWorkflow",
        summary="Run a workflow",
        description=f"The first segment is read in any case. A version counts where there are several. {_ANY_METHOD}",
        parameters=("requestTimeout",),
        body="Input",
        answers={"200": "Output", **_RUN},
    ),
    (Endpoint.PREDICTIONS, "POST"): Operation(
        key="predict",
        summary="Run one node by itself",
        description=_ANY_METHOD,
        parameters=("requestTimeout",),
        body="Input",
        answers={"200": "Output", **_RUN},
    ),
    (Endpoint.EXPLANATIONS, "POST"): Operation(
        key="explain",
        summary="Have one node explain",
        description=_ANY_METHOD,
        parameters=("requestTimeout",),
        body="Input",
        answers={"200": "Output", **_RUN},
    ),
    (Endpoint.SERVER_METADATA, "GET"): Operation(
        key="serverMetadata", summary="Describe the server", answers={"200": "ServerMetadata"}
    ),
    (Endpoint.SERVER_LIVE, "GET"): Operation(
        key="serverLive", summary="Does the server answer?", answers={"200": "Live"}
    ),
    (Endpoint.SERVER_READY, "GET"): Operation(
        key="serverReady", summary="Is all loaded?", answers={"200": "Ready", "503": "Unready"}
    ),
    (Endpoint.MODEL_METADATA, "GET"): Operation(
        key="modelMetadata", summary="Describe a workflow as a model", answers={"200": "ModelMetadata", **_NAMED}
    ),
    (Endpoint.MODEL_READY, "GET"): Operation(
        key="modelReady",
        summary="Can a workflow be run?",
        answers={"200": "ModelReady", "503": "ModelUnready", **_NAMED},
    ),
    (Endpoint.MODEL_INFER, "POST"): Operation(
        key="infer",
        summary="Run a workflow on tensors",
        description="A tensor that is alone is the entry's `body`, too.",
        parameters=("requestTimeout",),
        body="Infer",
        answers={"200": "Inferred", **_RUN},
    ),
    (Endpoint.V1_MODEL, "GET"): Operation(
        key="modelReadyV1", summary="Can a workflow be run?", answers={"200": "ModelSaysReady", **_NAMED}
    ),
    (Endpoint.V1_PREDICT, "POST"): Operation(
        key="predictV1",
        summary="Run a workflow on instances",
        parameters=("requestTimeout",),
        body="V1Predict",
        answers={"200": "V1Predicted", **_RUN},
    ),
    (Endpoint.WORKFLOWS, "GET"): Operation(
        key="listWorkflows", summary="List the workflows", parameters=_PAGED, answers={"200": "WorkflowList"}
    ),
    (Endpoint.WORKFLOWS, "POST"): Operation(
        key="registerWorkflow",
        summary="Register a workflow",
        description="`url` is needed. The answer comes once every node is loaded.",
        parameters=REGISTERING,
        body="Registering",
        answers=_OPENED,
    ),
    (Endpoint.WORKFLOW, "GET"): Operation(
        key="describeWorkflow", summary="Describe a workflow", answers={"200": "Workflows", **_NAMED}
    ),
    (Endpoint.WORKFLOW, "PUT"): Operation(
        key="updateWorkflow",
        summary="Put another archive in the place of a version",
        description="Without `url` the same archive is read again. What has begun is answered by the old one.",
        parameters=UPDATING,
        body="Updating",
        answers=_OPENED,
    ),
    (Endpoint.WORKFLOW, "DELETE"): Operation(
        key="unregisterWorkflow",
        summary="Take a workflow away, with all its versions",
        description="The answer comes once all that had begun is answered.",
        answers={"200": "Done", **_NAMED},
    ),
    (Endpoint.WORKFLOW_VERSION, "GET"): Operation(
        key="describeWorkflowVersion",
        summary="Describe one version of a workflow",
        description="The version `all` stands for every one.",
        answers={"200": "Workflows", **_NAMED},
    ),
    (Endpoint.WORKFLOW_VERSION, "DELETE"): Operation(
        key="unregisterWorkflowVersion",
        summary="Take one version of a workflow away",
        description="The default one stays while there are others (403).",
        answers={"200": "Done", **_NAMED},
    ),
    (Endpoint.WORKFLOW_DEFAULT, "PUT"): Operation(
        key="setDefaultWorkflowVersion",
        summary="Have requests that name no version get this one",
        answers={"200": "Done", **_NAMED},
    ),
    (Endpoint.WORKFLOW_NODE, "GET"): Operation(
        key="describeNode", summary="Describe a node", parameters=("version",), answers={"200": "Node", **_NAMED}
    ),
    (Endpoint.WORKFLOW_NODE, "PUT"): Operation(
        key="scaleNode",
        summary="Have a node run with other numbers of workers",
        parameters=("version", *SCALING),
        body="ScalingNode",
        answers=_SCALED,
    ),
    (Endpoint.MODELS, "GET"): Operation(
        key="listModels",
        summary="List the model nodes of all workflows",
        parameters=_PAGED,
        answers={"200": "ModelList"},
    ),
    (Endpoint.MODEL, "GET"): Operation(
        key="describeModel", summary="Describe a node as a model", answers={"200": "Models", **_NAMED}
    ),
    (Endpoint.MODEL, "PUT"): Operation(
        key="scaleModel",
        summary="Have a node run with other numbers of workers",
        parameters=SCALING,
        body="Scaling",
        answers=_SCALED,
    ),
    (Endpoint.MODEL, "OPTIONS"): Operation(
        key="modelDescription", summary="How this model is managed", answers={"200": "Document", **_NAMED}
    ),
    (Endpoint.MODEL_DEFAULT, "PUT"): Operation(
        key="setDefaultModelVersion",
        summary="Say that the only version there is is the default",
        answers={"200": "Done", **_NAMED},
    ),
    (Endpoint.TOKEN, "GET"): Operation(
        key="renewKey",
        summary="Renew a key",
        description="It is written to the key file. There is none to renew (404) where the server takes no keys.",
        parameters=("type",),
        answers={"200": "NoContent", **_NAMED, "500": "Failed"},
    ),
    (Endpoint.STATUS_PAGE, "GET"): Operation(
        key="statusPage", summary="How the server is, for people", answers={"200": "StatusPage"}
    ),
    (Endpoint.STATUS_FILE, "GET"): Operation(
        key="statusFile", summary="A file of the status page", answers={"200": "StatusPage", **_NAMED}
    ),
    (Endpoint.STATUS_DATA, "GET"): Operation(
        key="statusData", summary="How the server is", answers={"200": "StatusData"}
    ),
    (Endpoint.STATUS_DRAWING, "GET"): Operation(
        key="statusDrawing",
        summary="The drawing of a version of a workflow",
        parameters=("direction",),
        answers={"200": "StatusDrawing", **_NAMED},
    ),
    (Endpoint.STATUS_TRY, "POST"): Operation(
        key="statusTry",
        summary="Run a version of a workflow from the status page",
        description="As the inference API does; what its handlers say in headers is left out.",
        parameters=("requestTimeout",),
        body="Input",
        answers={"200": "Output", **_RUN},
    ),
    (Endpoint.METRICS, "GET"): Operation(
        key="metrics",
        summary="Numbers for Prometheus",
        description="What handlers measure is among them, under its own names: characters that a name cannot have are "
        "written as `_`, and labels that are the server's own become `exported_...`. Workers are asked at most once a "
        "second; of a busy one the last known values are told. At most 1,000 series of a node.",
        parameters=("name",),
        answers={"200": "Metrics"},
    ),
}
