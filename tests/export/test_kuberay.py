"""The manifest of a KubeRay ``RayService``, held to what its operator and Kubernetes check, and the sizes in it."""

import itertools
import json
import random
import re
from dataclasses import replace

import jsonschema
import pytest
import yaml
from fakes.plans import plan_of

from wfctl.errors import UnsupportedError
from wfctl.export.kuberay import default_image, ray_service, service_name
from wfctl.export.serve_config import Site, serve_config
from wfctl.export.sizing import GIB, groups_of
from wfctl.export.yaml_text import yaml_text
from wfctl.spec.model import WorkerSettings

QUANTITY = r"^[0-9]+(\.[0-9]+)?([KMGTPE]i|[numkMGTPE])?$"
NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


def closed(required, **optional):
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


QUANTITIES = {"type": "object", "additionalProperties": {"type": "string", "pattern": QUANTITY}}
START_PARAMS = {"type": "object", "additionalProperties": {"type": "string"}}
COUNT = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
PORT = closed(
    {"containerPort": {"type": "integer", "minimum": 1, "maximum": 65535}},
    name={"type": "string", "pattern": NAME, "maxLength": 15},
)
CONTAINER = closed(
    {"name": {"type": "string", "pattern": NAME, "maxLength": 63}, "image": {"type": "string", "minLength": 1}},
    ports={"type": "array", "items": PORT},
    resources=closed({}, limits=QUANTITIES, requests=QUANTITIES),
)
POD = closed({"spec": closed({"containers": {"type": "array", "minItems": 1, "items": CONTAINER}})})
# What the CRD ``rayservices.ray.io`` says of version v1 of the keys that are written here, and what older ones require.
RAY_SERVICE = closed(
    {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayService"},
        "metadata": closed({"name": {"type": "string", "pattern": r"^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 47}}),
        "spec": closed(
            {
                "serveConfigV2": {"type": "string"},
                "rayClusterConfig": closed(
                    {
                        "headGroupSpec": closed({"template": POD, "rayStartParams": START_PARAMS}),
                        "workerGroupSpecs": {
                            "type": "array",
                            "minItems": 1,
                            "items": closed(
                                {
                                    "groupName": {"type": "string", "pattern": NAME},
                                    "minReplicas": COUNT,
                                    "maxReplicas": COUNT,
                                    "rayStartParams": START_PARAMS,
                                    "template": POD,
                                },
                                replicas=COUNT,
                            ),
                        },
                    },
                    rayVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
                    enableInTreeAutoscaling={"type": "boolean"},
                ),
            }
        ),
    }
)


def plan_with(resources, settings=None, edges=None):
    plan = plan_of(edges or " > ".join(resources), settings)
    return replace(plan, nodes=tuple(replace(each, resources=resources.get(each.name, {})) for each in plan.nodes))


def manifest_of(plan, *, image="registry.test/flow:1", **more):
    return ray_service(serve_config(plan, {"workflow": "/flow.war", "name": "flow"}, **more), image=image)


def workers(manifest):
    return {each["groupName"]: each for each in manifest["spec"]["rayClusterConfig"]["workerGroupSpecs"]}


def limits(group):
    return group["template"]["spec"]["containers"][0]["resources"]["limits"]


@pytest.mark.parametrize(
    "resources",
    [
        {"a": {}},
        {"a": {"num_cpus": 0.5, "memory": 3 * GIB}, "b": {"num_gpus": 2, "near-the-data": 1}},
        {"a": {"num_gpus": 0.25}, "b": {"num_gpus": 1}, "c": {"licence": 0.5, "b": 3}},
    ],
)
def test_a_manifest_has_the_form_that_kubernetes_takes_also_as_text(resources):
    manifest = manifest_of(plan_with(resources))
    jsonschema.validate(manifest, RAY_SERVICE)
    text = yaml_text(manifest)
    assert yaml.safe_load(text) == manifest
    assert "serveConfigV2: |\n    proxy_location: EveryNode\n" in text


def test_the_config_inside_is_the_config_alone():
    plan = plan_with({"a": {}, "b": {"num_gpus": 1}})
    config = serve_config(plan, {"workflow": "/y", "name": "1e3"})
    assert yaml.safe_load(ray_service(config, image="x")["spec"]["serveConfigV2"]) == config


@pytest.mark.parametrize(
    ("workflow", "name"),
    [
        ("digits", "digits"),
        ("My_Flow v2.0", "my-flow-v2-0"),
        ("2024", "workflow-2024"),
        ("--", "workflow"),
        ("größe", "gr-e"),
        ("x" * 46 + "_y" * 10, "x" * 46),
        ("a" * 300, "a" * 47),
        ("名前", "workflow"),
    ],
)
def test_the_name_is_one_that_kubernetes_takes(workflow, name):
    assert service_name(workflow) == name
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,45}[a-z0-9])?", name)


def test_the_image_is_ray_s_own_and_its_version_is_said_by_the_tag():
    assert default_image((3, 12)) == "rayproject/ray:2.60.0-py312"

    def version(image):
        return manifest_of(plan_of("a"), image=image)["spec"]["rayClusterConfig"]["rayVersion"]

    assert version(default_image((3, 11))) == "2.60.0"
    assert version("rayproject/ray-ml:2.55.1-py310-gpu") == "2.55.1"
    assert version("registry.test/flow:3.0.0") == "2.60.0"


def test_every_machine_runs_the_image_and_none_of_the_replicas_is_on_the_head():
    cluster = manifest_of(plan_with({"a": {}, "b": {"num_gpus": 1}}))["spec"]["rayClusterConfig"]
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    (image,) = {each["template"]["spec"]["containers"][0]["image"] for each in groups}
    assert image == "registry.test/flow:1"


def test_another_port_is_told_to_all_who_ask_there():
    cluster = manifest_of(plan_with({"a": {}, "b": {"num_gpus": 1}}), site=Site(port=9000))["spec"]["rayClusterConfig"]
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        ports = group["template"]["spec"]["containers"][0]["ports"]
        assert {each["name"]: each["containerPort"] for each in ports}["serve"] == 9000


class TestSizes:
    def test_a_machine_holds_the_largest_replica(self):
        groups = workers(manifest_of(plan_with({"a": {"num_cpus": 3.5}, "b": {"memory": 5 * GIB + 1}})))
        assert limits(groups["workers"]) == {"cpu": "4", "memory": "10Gi"}
        groups = workers(manifest_of(plan_with({"a": {"memory": 5 * GIB + 1}})))
        assert limits(groups["workers"]) == {"cpu": "1", "memory": "8Gi"}
        assert groups["workers"]["minReplicas"] == groups["workers"]["replicas"] == 1

    def test_gpus_have_machines_of_their_own(self):
        plan = plan_with({"a": {"num_cpus": 8}, "b": {"num_gpus": 0.5}, "c": {"num_gpus": 2, "num_cpus": 4}})
        groups = workers(manifest_of(plan))
        assert list(groups) == ["workers", "gpu-workers"]
        assert "nvidia.com/gpu" not in limits(groups["workers"])
        assert limits(groups["gpu-workers"]) == {"cpu": "4", "memory": "10Gi", "nvidia.com/gpu": "2"}

    def test_custom_resources_are_passed_on_as_the_operator_wants_them(self):
        plan = plan_with(
            {"a": {"near-the-data": 1, "licence": 0.5}, "b": {"num_gpus": 1, "accelerator_type:A100": 0.1}}
        )
        groups = workers(manifest_of(plan))
        told = groups["workers"]["rayStartParams"]["resources"]
        assert told == r'"{\"near-the-data\": 1, \"licence\": 1}"'
        assert json.loads(told[1:-1].replace("\\", "")) == {"near-the-data": 1, "licence": 1}
        assert groups["gpu-workers"]["rayStartParams"]["resources"] == r'"{\"accelerator_type:A100\": 1}"'
        assert workers(manifest_of(plan_of("a")))["workers"]["rayStartParams"] == {}

    @pytest.mark.parametrize("name", ['a"b', "a\\b", "$(rm -rf ~)", "`x`", "a\nb"])
    def test_a_name_that_the_shell_of_a_pod_would_act_on_is_refused(self, name):
        with pytest.raises(UnsupportedError, match="that KubeRay cannot pass on"):
            manifest_of(plan_with({"a": {name: 1}}))

    def test_as_many_machines_as_replicas_that_fill_one_each(self):
        plan = plan_with(
            {"a": {"num_cpus": 1}, "b": {"num_cpus": 1}},
            {"a": WorkerSettings(max_workers=4), "b": WorkerSettings(min_workers=3, max_workers=3)},
        )
        assert workers(manifest_of(plan))["workers"]["maxReplicas"] == 4 + 3 + 1

    def test_small_replicas_share_machines(self):
        plan = plan_with({"a": {"num_cpus": 0.1}}, {"a": WorkerSettings(max_workers=50)})
        # The one that takes requests in needs a whole processor, and may find each other machine begun.
        assert workers(manifest_of(plan))["workers"]["maxReplicas"] == 51
        deployments = [{"num_replicas": 50, "ray_actor_options": {"num_cpus": 0.1}}]
        assert groups_of(deployments)[0].most == 6

    def test_what_takes_nothing_needs_no_machine(self):
        plan = plan_of("a > b", default=WorkerSettings(max_workers=100))
        assert workers(manifest_of(plan))["workers"]["maxReplicas"] == 1

    @pytest.mark.parametrize("seed", range(40))
    def test_every_replica_finds_room_wherever_the_others_went(self, seed):
        """Place replicas as unluckily as can be: at random, the machines all there from the start."""
        draw = random.Random(seed)
        deployments = [
            {
                "num_replicas": draw.randint(1, 4),
                "ray_actor_options": {
                    "num_cpus": draw.choice([0, 0.3, 0.5, 1, 2, 4]),
                    "num_gpus": draw.choice([0, 0, 0, 0.5, 1, 2]),
                    "memory": draw.choice([0, 0, 3 * GIB, 9 * GIB]),
                    "resources": draw.choice([{}, {}, {"near": 1}]),
                },
            }
            for _ in range(draw.randint(1, 5))
        ]
        machines = [
            {"CPU": group.cpus, "GPU": group.gpus, "memory": group.memory_gib * GIB, **group.resources}
            for group in groups_of(deployments)
            for _ in range(group.most)
        ]
        replicas = list(
            itertools.chain.from_iterable([each["ray_actor_options"]] * each["num_replicas"] for each in deployments)
        )
        draw.shuffle(replicas)
        for each in replicas:
            wants = {"CPU": each["num_cpus"], "GPU": each["num_gpus"], "memory": each["memory"], **each["resources"]}
            fit = [one for one in machines if all(one.get(name, 0) >= wants[name] - 1e-9 for name in wants)]
            assert fit, (wants, machines)
            chosen = draw.choice(fit)
            for name, amount in wants.items():
                if amount:
                    chosen[name] -= amount
