"""What requests and answers of the interface hold, as schemas of OpenAPI 3.0.3.

Data and nothing else. Invariant: an answer has the fields that stand here and no others. Tests hold answers to that;
clients are not told so, for there may be more one day.
"""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
BYTES: Schema = {"type": "string", "format": "binary"}
ANYTHING: Schema = {}
WORKFLOW_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}$"
VERSION = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$"


def schema(name: str) -> Schema:
    """Return a reference to a schema of this table."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(item: Schema, **more: Any) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": item, **more}


def _record(fields: Mapping[str, Schema], *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    required = [name for name in fields if name not in optional]
    return {"type": "object", **({"required": required} if required else {}), "properties": dict(fields), **more}


def _maybe(one: Schema) -> Schema:
    return {**one, "nullable": True}


def _about(one: Schema, description: str) -> Schema:
    return {**one, "description": description}


_TEXTS = list_of(TEXT)
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_SIZE: Schema = {"type": "integer", "minimum": 0}
_NEXT_PAGE = _about(TEXT, "`next_page_token` of the next page; missing on the last one.")

_ANSWERS: Mapping[str, Schema] = {
    "Status": _record({"status": TEXT}, example={"status": "Healthy"}),
    "Finding": _record(
        {
            "code": _about(TEXT, "Of a rule of `wfctl rule`."),
            "message": TEXT,
            "line": {"type": "integer", "minimum": 1},
            "column": {"type": "integer", "minimum": 1},
        },
        optional=("line", "column"),
    ),
    "Error": _record(
        {
            "code": _about(WHOLE, "The status once more."),
            "type": _about(TEXT, "Kind of failure, by the original's names."),
            "message": TEXT,
            "hint": _about(TEXT, "How to mend it."),
            "findings": _about(list_of(schema("Finding")), "What is wrong with a workflow, all of it."),
        },
        optional=("hint", "findings"),
        example={"code": 404, "type": "WorkflowNotFoundException", "message": "Workflow not found: digits"},
    ),
    "Live": _record({"live": FLAG}, example={"live": True}),
    "Ready": _record({"ready": FLAG}, example={"ready": True}),
    "ModelReady": _record({"name": TEXT, "ready": FLAG}, example={"name": "digits", "ready": True}),
    "Document": {
        "type": "object",
        "description": "An OpenAPI document.",
        "required": ["openapi", "info", "paths"],
    },
    "StatusData": {"type": "object", "description": "What the status page shows."},
    "StatusDrawing": {"type": "object", "description": "What the status page draws on."},
}

_WORKFLOWS: Mapping[str, Schema] = {
    "WorkflowItem": _record({"workflowName": TEXT, "workflowUrl": _about(TEXT, "As it was named when registered.")}),
    "WorkflowList": _record(
        {"nextPageToken": _NEXT_PAGE, "workflows": list_of(schema("WorkflowItem"))},
        optional=("nextPageToken",),
        example={"workflows": [{"workflowName": "digits", "workflowUrl": "digits.war"}]},
    ),
    "Workflow": _record(
        {
            "workflowName": TEXT,
            "workflowUrl": TEXT,
            "minWorkers": _SIZE,
            "maxWorkers": _SIZE,
            "batchSize": {"type": "integer", "minimum": 1},
            "maxBatchDelay": _about(_SIZE, "Milliseconds."),
            "workflowDag": _about(TEXT, "The graph, as in `{pre=[m1, m2], m1=[post]}`."),
            "wfctl": schema("WorkflowMore"),
        }
    ),
    "WorkflowMore": _record(
        {
            "version": TEXT,
            "isDefault": _about(FLAG, "Whether requests that name no version get this one."),
            "versions": _TEXTS,
            "readySince": _INSTANT,
            "runs": _about(_SIZE, "In flight."),
            "nodes": list_of(schema("Node")),
        }
    ),
    "Node": _record(
        {
            "name": TEXT,
            "kind": {"type": "string", "enum": ["function", "model"]},
            "parents": _TEXTS,
            "children": _TEXTS,
            "version": _about(TEXT, "Of its code."),
            "settings": schema("NodeSettings"),
            "queue": _record({"waiting": _SIZE, "running": _SIZE, "size": _SIZE}),
            "counts": schema("NodeCounts"),
            "batchTimeMs": _maybe(_about(NUMBER, "What a batch takes at present; null while nothing was measured.")),
            "starting": _about(_SIZE, "Workers that load."),
            "lastFailure": _maybe(_about(TEXT, "Why the last worker did not start; null if it did.")),
            "workers": list_of(schema("Worker")),
        }
    ),
    "NodeSettings": _record(
        {
            "minWorkers": _SIZE,
            "maxWorkers": _SIZE,
            "batchSize": {"type": "integer", "minimum": 1},
            "maxBatchDelayMs": _SIZE,
            "retryAttempts": _SIZE,
            "timeoutMs": _SIZE,
        }
    ),
    "NodeCounts": _record(
        {
            "done": _SIZE,
            "failed": _SIZE,
            "retried": _SIZE,
            "batches": _SIZE,
            "meanBatch": _maybe(_about(NUMBER, "Calls in a batch; null before the first one.")),
            "lostWorkers": _about(_SIZE, "Workers that ended without being told to."),
        }
    ),
    "Worker": _record(
        {
            "id": TEXT,
            "startTime": _maybe(_INSTANT),
            "status": {"type": "string", "enum": ["READY"]},
            "memoryUsage": _about(_SIZE, "Bytes."),
            "pid": WHOLE,
            "gpu": FLAG,
            "gpuUsage": TEXT,
        }
    ),
}

_FLAGS = ("continuousBatching", "useJobTicket", "useVenv", "stateful", "loadedAtStartup")
_SIZES = (
    *("minWorkers", "maxWorkers", "batchSize", "maxBatchDelay", "responseTimeout", "startupTimeout"),
    *("maxRetryTimeoutInSec", "clientTimeoutInMills", "parallelLevel", "sequenceMaxIdleMSec", "sequenceTimeoutMSec"),
    *("maxNumSequence", "maxSequenceJobQueueSize"),
)

_MODELS: Mapping[str, Schema] = {
    "ModelItem": _record({"modelName": TEXT, "modelUrl": TEXT}),
    "ModelList": _record(
        {"nextPageToken": _NEXT_PAGE, "models": list_of(schema("ModelItem"))},
        optional=("nextPageToken",),
        example={"models": [{"modelName": "digits__cnn", "modelUrl": "cnn.mar"}]},
    ),
    "Model": _record(
        {
            **dict.fromkeys(("modelName", "modelVersion", "modelUrl", "runtime", "parallelType"), TEXT),
            **dict.fromkeys(_SIZES, _SIZE),
            **dict.fromkeys(_FLAGS, FLAG),
            "deviceType": {"type": "string", "enum": ["cpu", "gpu"]},
            "deviceIds": list_of(_SIZE),
            "workers": list_of(schema("Worker")),
            "jobQueueStatus": _record({"remainingCapacity": _SIZE, "pendingRequests": _SIZE}),
        },
        optional=("deviceIds",),
        description="A node as the original describes a model.",
    ),
}

_DATATYPE: Schema = {
    "type": "string",
    "enum": [
        *("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"),
        *("FP16", "BF16", "FP32", "FP64", "BYTES"),
    ],
}
_INPUT = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [0.1, 0.2, 0.3, 0.4]}
_OUTPUT = {"name": "vote", "datatype": "INT64", "shape": [2], "data": [4, 2]}

_PROTOCOL: Mapping[str, Schema] = {
    "ServerMetadata": _record(
        {
            "name": TEXT,
            "version": TEXT,
            "extensions": _TEXTS,
            "extenstion": _about(_TEXTS, "As the original spells it."),
        },
        example={"name": "wfctl", "version": "0.1.0", "extensions": [], "extenstion": []},
    ),
    "TensorMetadata": _record({"name": TEXT, "datatype": _DATATYPE, "shape": list_of(WHOLE)}),
    "ModelMetadata": _record(
        {
            "name": TEXT,
            "versions": _TEXTS,
            "platform": TEXT,
            "inputs": list_of(schema("TensorMetadata")),
            "outputs": list_of(schema("TensorMetadata")),
        },
        example={
            "name": "digits",
            "versions": ["1.0"],
            "platform": "wfctl_workflow",
            "inputs": [{"name": "body", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": "vote", "datatype": "BYTES", "shape": [-1]}],
        },
    ),
    "Tensor": _record(
        {
            "name": {"type": "string", "minLength": 1},
            "shape": list_of({"type": "integer", "minimum": 0, "maximum": 2**31 - 1}, maxItems=32),
            "datatype": _DATATYPE,
            "data": _about(
                list_of(ANYTHING), "Elements in row-major order, flat or nested, as many as fill the shape."
            ),
        },
        example=_INPUT,
    ),
    "InferRequest": _record(
        {
            "id": _about(TEXT, "Stands in the answer, too."),
            "parameters": {"type": "object"},
            "inputs": list_of(schema("Tensor"), minItems=1),
            "outputs": list_of({"type": "object"}),
        },
        optional=("id", "parameters", "outputs"),
        example={"id": "42", "inputs": [_INPUT]},
    ),
    "InferResponse": _record(
        {"model_name": TEXT, "model_version": TEXT, "id": TEXT, "outputs": list_of(schema("Tensor"))},
        optional=("id",),
        example={"model_name": "digits", "model_version": "1.0", "id": "42", "outputs": [_OUTPUT]},
    ),
    "V1Request": _record({"instances": list_of(ANYTHING)}, example={"instances": [[0.1, 0.2], [0.3, 0.4]]}),
    "V1Response": _record({"predictions": list_of(ANYTHING)}, example={"predictions": [4, 2]}),
}

_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
_WORKER_COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
_SECONDS: Schema = {"type": "integer", "minimum": 1, "maximum": 999_999_999, "default": 120}

FIELDS: Mapping[str, Schema] = {
    "url": _about(TEXT, "Name of an archive in the workflow store, or where it is fetched from."),
    "workflow_name": _about(
        {"type": "string", "pattern": WORKFLOW_NAME}, "Beats the name that the archive gives the workflow."
    ),
    "version": _about({"type": "string", "pattern": VERSION}, "Of the workflow; the default one if it is not named."),
    "response_timeout": _about(_SECONDS, "Seconds for one batch, where the archive does not say it."),
    "startup_timeout": _about(_SECONDS, "Seconds for loading one worker, where the archive does not say it."),
    "min_worker": _about({**_COUNT, "default": 1}, "Workers that there should be."),
    "max_worker": _about(_WORKER_COUNT, "Workers that there may be; as many as `min_worker`, and one at least."),
    "synchronous": _about({**FLAG, "default": False}, "Whether the answer waits for the new workers."),
}
"""Parameters that come in the query or in a JSON body."""


def _body_of(*names: str) -> Schema:
    return {"type": "object", "properties": {name: FIELDS[name] for name in names}}


REGISTERING = ("url", "workflow_name", "version", "response_timeout", "startup_timeout")
UPDATING = ("url", "version", "response_timeout", "startup_timeout")
SCALING = ("min_worker", "max_worker", "synchronous")

_REQUESTS: Mapping[str, Schema] = {
    "Registering": {**_body_of(*REGISTERING), "example": {"url": "digits.war"}},
    "Updating": {**_body_of(*UPDATING), "example": {"url": "digits.war"}},
    "Scaling": {**_body_of(*SCALING), "example": {"min_worker": 2, "max_worker": 4, "synchronous": True}},
    "ScalingNode": {**_body_of("version", *SCALING), "example": {"min_worker": 2, "synchronous": True}},
}

SCHEMAS: Mapping[str, Schema] = {**_ANSWERS, **_WORKFLOWS, **_MODELS, **_PROTOCOL, **_REQUESTS}
