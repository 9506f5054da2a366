"""What a workflow, or a node of it, looks like to who manages it: the original's shapes, and ours beside them.

Pure but for the clock that workers' starts were read from.
"""

import resource
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

from wfctl.engine.statistics import NodeStatistics
from wfctl.plan import NodePlan
from wfctl.service.registry import BETWEEN, Registry, Served
from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind

_MS = 1000
_PAGE = resource.getpagesize()


def workflow_item(served: Served) -> dict[str, str]:
    """Return a workflow as it stands in the list."""
    return {"workflowName": served.name, "workflowUrl": served.wish.url}


def workflow_description(served: Served, *, is_default: bool, versions: Iterable[str]) -> dict[str, Any]:
    """Return a workflow in the original's shape, with all of ours under ``wfctl``."""
    shared = served.deployment.prepared.defaults
    return {
        **workflow_item(served),
        "minWorkers": shared.min_workers,
        "maxWorkers": shared.max_workers,
        "batchSize": shared.batch_size,
        "maxBatchDelay": shared.max_batch_delay_ms,
        "workflowDag": dag_text(served.deployment.prepared.plan.nodes),
        "wfctl": {
            "version": served.version,
            "isDefault": is_default,
            "versions": list(versions),
            "readySince": _instant(served.since),
            "runs": served.engine.statistics().runs,
            "nodes": [node_description(served, node) for node in served.deployment.prepared.plan.nodes],
        },
    }


def dag_text(nodes: Iterable[NodePlan]) -> str:
    """Return the graph as the original writes it: ``{pre=[m1, m2], m1=[post]}``."""
    return "{" + ", ".join(f"{node.name}=[{', '.join(node.children)}]" for node in nodes if node.children) + "}"


def node_description(served: Served, node: NodePlan) -> dict[str, Any]:
    """Return one node: what it is set to, what waits, who works."""
    told = _statistics(served, node)
    return {
        "name": node.name,
        "kind": node.kind.value,
        "parents": list(node.parents),
        "children": list(node.children),
        "version": node.code.version,
        "settings": _settings(node.settings, told),
        "queue": {
            "waiting": told.queued,
            "running": told.running,
            "size": served.deployment.prepared.plan.queue_size_of(node),
        },
        "counts": {
            "done": told.done,
            "failed": told.failed,
            "retried": told.retried,
            "batches": told.batches,
            "meanBatch": round(told.sent / told.batches, 2) if told.batches else None,
            "lostWorkers": told.lost,
        },
        "batchTimeMs": round(told.batch_time_s * _MS, 3) if told.batch_time_s else None,
        "starting": told.starting,
        "lastFailure": told.last_failure,
        "workers": [worker_description(served, pid, at) for at, pid in enumerate(told.worker_pids)],
    }


def worker_description(served: Served, pid: int, at: int) -> dict[str, Any]:
    """Return one worker in the original's shape."""
    since = served.ready_at.get(pid)
    return {
        "id": str(at),
        "startTime": None if since is None else _instant(datetime.fromtimestamp(since, UTC)),
        "status": "READY",
        "memoryUsage": resident_bytes(pid),
        "pid": pid,
        "gpu": False,
        "gpuUsage": "N/A",
    }


def model_item(served: Served, node: NodePlan) -> dict[str, str]:
    """Return a model node as it stands in the list of models."""
    return {"modelName": f"{served.name}{BETWEEN}{node.name}", "modelUrl": _url_of(served, node)}


def model_nodes(registry: Registry) -> list[tuple[Served, NodePlan]]:
    """Return the model nodes of all workflows, by their names as models; function nodes are not listed, as there."""
    found = [
        (served, node)
        for served in registry.defaults()
        for node in served.deployment.prepared.plan.nodes
        if node.kind is NodeKind.MODEL
    ]
    return sorted(found, key=lambda each: f"{each[0].name}{BETWEEN}{each[1].name}")


def model_description(served: Served, node: NodePlan) -> dict[str, Any]:
    """Return a node as the original describes a model."""
    told = _statistics(served, node)
    plan = served.deployment.prepared.plan
    size = plan.queue_size_of(node)
    return {
        "modelName": f"{served.name}{BETWEEN}{node.name}",
        "modelVersion": node.code.version,
        "modelUrl": _url_of(served, node),
        "runtime": "python",
        "minWorkers": told.least,
        "maxWorkers": told.most,
        "batchSize": node.settings.batch_size,
        "maxBatchDelay": node.settings.max_batch_delay_ms,
        "responseTimeout": ceil(node.response_timeout_s or node.settings.timeout_ms / _MS),
        "startupTimeout": int(plan.startup_timeout_of(node.name)),
        "maxRetryTimeoutInSec": int(300 if node.max_retry_timeout_s is None else node.max_retry_timeout_s),
        "clientTimeoutInMills": 0,
        "parallelType": "",
        "parallelLevel": 0,
        "deviceType": "gpu" if node.devices else "cpu",
        **({"deviceIds": list(node.devices)} if node.devices else {}),
        "continuousBatching": False,
        "useJobTicket": False,
        "useVenv": False,
        "stateful": False,
        "sequenceMaxIdleMSec": 0,
        "sequenceTimeoutMSec": 0,
        "maxNumSequence": 0,
        "maxSequenceJobQueueSize": 0,
        "loadedAtStartup": False,
        "workers": [worker_description(served, pid, at) for at, pid in enumerate(told.worker_pids)],
        "jobQueueStatus": {"remainingCapacity": max(0, size - told.queued), "pendingRequests": told.queued},
    }


def _url_of(served: Served, node: NodePlan) -> str:
    if node.kind is NodeKind.FUNCTION:
        return served.wish.url
    made_from: Mapping[str, Any] = served.deployment.prepared.made_from
    return str(made_from[node.name][0].name)


def _statistics(served: Served, node: NodePlan) -> NodeStatistics:
    return next(each for each in served.engine.statistics().nodes if each.node == node.name)


def _settings(settings: WorkerSettings, told: NodeStatistics) -> dict[str, int]:
    return {
        "minWorkers": told.least,
        "maxWorkers": told.most,
        "batchSize": settings.batch_size,
        "maxBatchDelayMs": settings.max_batch_delay_ms,
        "retryAttempts": settings.retry_attempts,
        "timeoutMs": settings.timeout_ms,
    }


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def resident_bytes(pid: int) -> int:
    """Return how much memory a process occupies, 0 for one that is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * _PAGE
