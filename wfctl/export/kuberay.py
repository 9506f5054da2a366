"""A Serve config as the manifest of a KubeRay ``RayService``, with a cluster that it fits into.

The form is that of ``ray.io/v1``, as the operator checks it. Invariant: pure; nothing is asked of a cluster.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from wfctl.errors import UnsupportedError
from wfctl.export.sizing import Group, groups_of
from wfctl.export.yaml_text import yaml_text

RAY_VERSION: Final = "2.60.0"
"""The Ray that this was tested with."""
_IMAGE: Final = "rayproject/ray"
_TAGGED: Final = re.compile(rf"{_IMAGE}(?:-[a-z]+)?:([0-9]+\.[0-9]+\.[0-9]+)")
_LONGEST_NAME: Final = 47
"""The operator makes names of services of it, which may have 63 characters."""
_UNQUOTABLE: Final = re.compile(r'["\\$`\x00-\x1f\x7f]')
_HEAD_CPUS, _HEAD_GIB = 2, 4
"""For Ray's own processes, Serve's controller and its proxy; functions may run there too."""


def default_image(python: tuple[int, int]) -> str:
    """Return the image of Ray's own for a Python of this version; it holds neither wfctl nor torch."""
    return f"{_IMAGE}:{RAY_VERSION}-py{python[0]}{python[1]}"


def service_name(workflow: str) -> str:
    """Return a workflow's name as Kubernetes takes it: a label of DNS that begins with a letter."""
    name = re.sub(r"[^a-z0-9]+", "-", workflow.lower()).strip("-")
    if not name[:1].isalpha():
        name = f"workflow-{name}"
    return name[:_LONGEST_NAME].strip("-")


def ray_service(config: Mapping[str, Any], *, image: str) -> dict[str, Any]:
    """Return the manifest; raise ``UnsupportedError`` for a custom resource that the operator cannot be told.

    Replicas are kept off the head (``num-cpus: 0``), whose end would be that of the whole cluster.
    """
    (application,) = config["applications"]
    port = config["http_options"]["port"]
    tagged = _TAGGED.match(image)
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": service_name(application["name"])},
        "spec": {
            "serveConfigV2": yaml_text(config),
            "rayClusterConfig": {
                # It must be the one in the image.
                "rayVersion": tagged[1] if tagged else RAY_VERSION,
                "enableInTreeAutoscaling": True,
                "headGroupSpec": _head(image, port),
                "workerGroupSpecs": [_workers(group, image, port) for group in groups_of(application["deployments"])],
            },
        },
    }


def _head(image: str, port: int) -> dict[str, Any]:
    # Its service has the ports that are listed, and no others; health is asked at the one called "serve".
    ports = {"gcs-server": 6379, "dashboard": 8265, "client": 10001, "serve": port}
    return {
        "rayStartParams": {"dashboard-host": "0.0.0.0", "num-cpus": "0"},  # noqa: S104 - as the operator wants it
        "template": _pod("ray-head", image, ports, {"cpu": str(_HEAD_CPUS), "memory": f"{_HEAD_GIB}Gi"}),
    }


def _workers(group: Group, image: str, port: int) -> dict[str, Any]:
    takes = {"cpu": str(group.cpus), "memory": f"{group.memory_gib}Gi"}
    if group.gpus:
        takes["nvidia.com/gpu"] = str(group.gpus)
    return {
        "groupName": group.name,
        "replicas": 1,
        "minReplicas": 1,
        "maxReplicas": group.most,
        "rayStartParams": {"resources": _resources(group.resources)} if group.resources else {},
        "template": _pod("ray-worker", image, {"serve": port}, takes),
    }


def _pod(name: str, image: str, ports: Mapping[str, int], takes: Mapping[str, str]) -> dict[str, Any]:
    container = {
        "name": name,
        "image": image,
        "ports": [{"containerPort": number, "name": port} for port, number in ports.items()],
        # Ray goes by the limits, and Kubernetes places pods by the requests.
        "resources": {"limits": dict(takes), "requests": dict(takes)},
    }
    return {"spec": {"containers": [container]}}


def _resources(resources: Mapping[str, int]) -> str:
    r"""Return custom resources as the operator passes them through a shell: ``"{\"near\": 1}"``, with the backslashes.

    Ray's autoscaler takes the backslashes off and reads JSON, so that no name can have an escape of its own.
    """
    for name in resources:
        if _UNQUOTABLE.search(name):
            raise UnsupportedError(
                f'the resource "{name}" has a character in its name that KubeRay cannot pass on',
                hint='a name without ", \\, $ and ` can be had everywhere',
            )
    pairs = ", ".join(rf"\"{name}\": {amount}" for name, amount in resources.items())
    return f'"{{{pairs}}}"'
