"""A workflow as a config file of Ray Serve: from a plan to the mapping that ``serve deploy`` reads.

The keys are those of ``ray.serve.schema.ServeDeploySchema``. What an operator may want to change is written out:
replicas, autoscaling and resources of every node. Invariant: pure; no Ray, no files, no text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wfctl.cluster.layout import NodeLayout, layout_of
from wfctl.plan import ExecutionPlan
from wfctl.service.options import Options

IMPORT_PATH: Final = "wfctl.export.application:application"
"""What the machines of the cluster import: a builder of applications, called with the ``args`` of the file."""

_INGRESS: Final = "wfctl-ingress"
_DEPLOYMENT_KEYS: Final = (
    "name",
    "num_replicas",
    "autoscaling_config",
    "max_ongoing_requests",
    "ray_actor_options",
    "health_check_period_s",
    "health_check_timeout_s",
    "graceful_shutdown_wait_loop_s",
    "graceful_shutdown_timeout_s",
)
"""What is written of a deployment, in this order; ``DeploymentSchema`` refuses what it does not know."""
USUAL: Final[Options] = {
    "handler": None,
    "model_store": None,
    "until": None,
    "startup_timeout_s": 120.0,
    "install_requirements": False,
    "service_envelope": None,
    "limit_max_image_pixels": True,
    "ts": "own",
    "allowed_urls": (),
    "trust": False,
    "sha256": None,
}
"""The options that mean something on other machines, with their defaults, which are not written.

A workflow store, a cache and the progress of downloads are matters of one machine.
"""

_PATHS: Final = frozenset({"handler", "model_store"})
_LISTS: Final = frozenset({"allowed_urls"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where clients find the workflow."""

    host: str = "0.0.0.0"  # noqa: S104 - the machines of a cluster are asked from outside
    port: int = 8000
    route_prefix: str = "/"


def serve_config(
    plan: ExecutionPlan, arguments: Mapping[str, Any], *, site: Site | None = None, pip: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the config of one application; ``arguments`` are those of its builder, as ``arguments_of`` makes them."""
    site = site or Site()
    application: dict[str, Any] = {
        "name": plan.workflow_name,
        "route_prefix": site.route_prefix,
        "import_path": IMPORT_PATH,
    }
    if pip:
        application["runtime_env"] = {"pip": list(pip)}
    application["args"] = dict(arguments)
    application["deployments"] = [_ingress(plan), *(_deployment(each) for each in layout_of(plan, reserves=True))]
    return {
        "proxy_location": "EveryNode",
        "http_options": {"host": site.host, "port": site.port},
        "applications": [application],
    }


def arguments_of(workflow: str, name: str, options: Options) -> dict[str, Any]:
    """Return what the builder is called with: where the workflow is, its name, and the options that are not usual.

    Paths become absolute, for other machines have other working directories.
    """
    said = {key: _plain(key, options.get(key, usual)) for key, usual in USUAL.items()}
    return {
        "workflow": workflow,
        "name": name,
        **{key: value for key, value in said.items() if value != _plain(key, USUAL.get(key))},
    }


def ingress_name(plan: ExecutionPlan) -> str:
    """Return the name of the deployment that takes requests in, which no node has."""
    taken, name = {node.name for node in plan.nodes}, _INGRESS
    while name in taken:
        name += "-"
    return name


def _plain(key: str, value: Any) -> Any:
    """Return the value of an option as YAML has it."""
    if key in _PATHS and value is not None:
        # Not Path.resolve: where a link leads may differ from machine to machine.
        return str(Path(value).absolute())
    return list(value) if key in _LISTS else value


def _ingress(plan: ExecutionPlan) -> dict[str, Any]:
    return {
        "name": ingress_name(plan),
        "num_replicas": 1,
        "max_ongoing_requests": 1000,
        "ray_actor_options": {"num_cpus": 1},
    }


def _deployment(layout: NodeLayout) -> dict[str, Any]:
    return {key: layout.options[key] for key in _DEPLOYMENT_KEYS if key in layout.options}
