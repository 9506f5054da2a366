"""From a plan to what Serve is told of each node: replicas, queues, batches, resources.

Invariant: pure; no Ray in here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wfctl.plan import ExecutionPlan, NodePlan
from wfctl.workflow import NodeKind

_LEAST_ONGOING = 256
"""Calls that a replica is handed at least: what it takes to hide the way there."""
_UPSCALE_S, _LOOK_BACK_S = 2.0, 2.0
_MOST_RETRIES = 10
"""Attempts beyond the first of one run, over all nodes, unless one node may have more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLayout:
    """One deployment of Serve."""

    node: NodePlan
    options: Mapping[str, Any]
    """What ``Deployment.options`` takes, and a Serve config."""


def layout_of(plan: ExecutionPlan, *, reserves: bool) -> tuple[NodeLayout, ...]:
    """Return the deployments of a plan, in its order.

    ``reserves`` has a model without ``resources`` take a processor of its own, as on clusters; without it nodes share
    the machine as worker processes do.
    """
    return tuple(NodeLayout(node=node, options=_options(plan, node, reserves=reserves)) for node in plan.nodes)


def delay_of(node: NodePlan) -> float:
    """Return how long a batch may wait: as in the engine, half of the time-out at most, and not at all for one call."""
    settings = node.settings
    if settings.batch_size == 1:
        return 0.0
    return min(settings.max_batch_delay_ms, settings.timeout_ms / 2) / 1000


def most_retries_of(plan: ExecutionPlan) -> int:
    """Return how many attempts beyond the first one run may have in all."""
    return max(_MOST_RETRIES, *(node.settings.retry_attempts for node in plan.nodes))


def most_runs_of(plan: ExecutionPlan) -> int:
    """Return how many runs may be in flight: what the smallest queue holds, and what its replicas work on."""
    return min(plan.queue_size_of(node) + node.settings.max_workers * node.settings.batch_size for node in plan.nodes)


def patience_of(plan: ExecutionPlan) -> Mapping[str, float]:
    """Return node -> after how many seconds a run has surely used up every attempt at it and at all before it."""
    longest: dict[str, float] = {}
    for node in plan.nodes:
        settings = node.settings
        own = settings.timeout_ms / 1000 * (1 + settings.retry_attempts)
        longest[node.name] = own + max((longest[parent] for parent in node.parents), default=0.0)
    return longest


def _options(plan: ExecutionPlan, node: NodePlan, *, reserves: bool) -> dict[str, Any]:
    settings = node.settings
    options: dict[str, Any] = {
        "name": node.name,
        "max_ongoing_requests": max(_LEAST_ONGOING, 2 * settings.batch_size),
        "ray_actor_options": resources_of(node, reserves=reserves),
        "health_check_period_s": 2.0,
        "health_check_timeout_s": 30.0,
        "graceful_shutdown_wait_loop_s": 0.1,
        "graceful_shutdown_timeout_s": max(20.0, settings.timeout_ms / 1000),
    }
    if settings.min_workers == settings.max_workers:
        options["num_replicas"] = settings.min_workers
    else:
        options["autoscaling_config"] = {
            "min_replicas": settings.min_workers,
            "initial_replicas": settings.min_workers,
            "max_replicas": settings.max_workers,
            "target_ongoing_requests": 2 * settings.batch_size,
            "upscale_delay_s": _UPSCALE_S,
            "downscale_delay_s": plan.idle_s,
            "look_back_period_s": _LOOK_BACK_S,
            "metrics_interval_s": 1.0,
        }
    return options


def resources_of(node: NodePlan, *, reserves: bool) -> dict[str, Any]:
    """Return what one process of a node takes, as Ray wants it."""
    given = dict(node.resources)
    options: dict[str, Any] = {
        "num_cpus": given.pop("num_cpus", 1 if reserves and node.kind is NodeKind.MODEL else 0),
        "num_gpus": given.pop("num_gpus", 0),
    }
    if "memory" in given:
        options["memory"] = given.pop("memory")
    if given:
        options["resources"] = given
    return options
