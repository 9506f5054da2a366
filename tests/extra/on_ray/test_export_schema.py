"""What ``wfctl export ray`` writes, held to Ray's own reading of it: Serve's schema, and the autoscaler's of groups."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _node_type_from_group_spec
from ray.serve._private.utils import validate_route_prefix
from ray.serve.schema import DeploymentSchema, ServeDeploySchema

from wfctl.export.kuberay import RAY_VERSION
from wfctl.export.serve_config import _DEPLOYMENT_KEYS

ROOT = Path(__file__).parents[3]
SPEC = """\
dag:
  'yes': ['y']
  'y': [a_b, 'null']
  a_b: [last]
  'null': [last]
wfctl:
  functions:
    'yes': {min-workers: 2, max-workers: 6, batch-size: 4}
  nodes:
    'y': {resources: {num_cpus: 0.5, memory: 3000000000, near-the-data: 1}}
    last: {resources: {num_gpus: 2, licence: 0.5}}
"""
HANDLER = "def last(data, context):\n    return data\n\n\n"


@pytest.fixture(params=["digits", "languages", "spec"])
def workflow(request, tmp_path):
    if request.param == "spec":
        (tmp_path / "workflow.yaml").write_text(SPEC)
        names = ("yes", "y", "a_b", "null", "last")
        (tmp_path / "handler.py").write_text("".join(HANDLER.replace("last", name) for name in names))
        return tmp_path
    left_out = shutil.ignore_patterns("*.mar", "*.war", "__pycache__")
    folder = shutil.copytree(ROOT / "samples" / request.param, tmp_path / request.param, ignore=left_out)
    subprocess.run([sys.executable, folder / "build.py"], check=True, capture_output=True)
    return folder


def exported(workflow, *words):
    argv = [sys.executable, "-m", "wfctl", "export", "ray", workflow, *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def accepted(config):
    """Have Serve read a config, and return it if it found all of it."""
    schema = ServeDeploySchema.model_validate(config)
    assert schema.model_dump(mode="json", exclude_unset=True) == config
    for each in schema.applications[0].deployments:
        assert each.is_autoscaling_configured() == ("autoscaling_config" in each.model_fields_set)
    validate_route_prefix(schema.applications[0].route_prefix)
    return schema


def test_serve_reads_the_config_and_understands_every_key(workflow):
    accepted(exported(workflow))
    accepted(exported(workflow, "--route-prefix", "/flow", "--port", "9000", "--pip", "wfctl[ray]", "--ts", "real"))


def test_serve_reads_the_config_inside_a_manifest(workflow):
    manifest = exported(workflow, "--kuberay")
    config = yaml.safe_load(manifest["spec"]["serveConfigV2"])
    assert accepted(config) == accepted(exported(workflow))


def test_the_autoscaler_sees_machines_that_every_replica_fits_on(workflow):
    manifest = exported(workflow, "--kuberay")
    cluster = manifest["spec"]["rayClusterConfig"]
    head = _node_type_from_group_spec({**cluster["headGroupSpec"], "groupName": "head"}, is_head=True)
    assert head["resources"]["CPU"] == 0
    groups = [_node_type_from_group_spec(each, is_head=False) for each in cluster["workerGroupSpecs"]]
    config = ServeDeploySchema.model_validate(yaml.safe_load(manifest["spec"]["serveConfigV2"]))
    for each in config.applications[0].deployments:
        options = each.ray_actor_options
        wants = {"CPU": options.num_cpus, "GPU": options.num_gpus or 0, "memory": options.memory or 0}
        wants |= options.resources
        assert any(
            all(group["resources"].get(name, 0) >= amount for name, amount in wants.items()) for group in groups
        ), (each.name, wants, groups)
    assert all(group["min_workers"] == 1 <= group["max_workers"] for group in groups)


def test_keys_of_deployments_are_those_of_serve_and_the_version_is_the_one_tested():
    import ray

    assert set(_DEPLOYMENT_KEYS) <= DeploymentSchema.model_fields.keys()
    assert ray.__version__ == RAY_VERSION
