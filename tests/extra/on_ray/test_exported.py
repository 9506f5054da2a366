"""An exported config, deployed as people do: `serve run` on a cluster, whose ingress speaks the API of `wfctl serve`."""

import http.client
import os
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import yaml
from fakes.archives import write_mar, write_war
from fakes.served import Served, call
from machines import Cluster, free_ports
from ray.serve.schema import ServeDeploySchema

from wfctl.errors import UnsupportedError, WfctlError
from wfctl.export.application import request_of
from wfctl.service.prepare import prepare

BIN = Path(sys.executable).parent
SPEC = """
models:
  min-workers: 1
  max-workers: 1
  retry-attempts: 0
  middle: {url: middle.mar}
dag: {first: [middle], middle: [last]}
wfctl: {nodes: {last: {resources: {far: 1}}}}
"""
HANDLER = """
def first(data, context):
    if data is None:
        return None
    bodies = [bytes(row["body"]) for row in data]
    if b"raise" in bodies:
        raise ValueError("it was asked for")
    return bodies

def last(data, context):
    return data and [bytes(row["body"]) + (b" " + __file__.encode() if bytes(row["body"]) == b"where" else b"")
                     for row in data]
"""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the archive of a workflow, its model inside."""
    place = tmp_path_factory.mktemp("exported")
    source = place / "source"
    source.mkdir()
    (source / "workflow.yaml").write_text(SPEC)
    (source / "handler.py").write_text(HANDLER)
    write_mar(source / "middle.mar")
    words = ["archive", "source", "--workflow-name", "flow", "--embed-models", "--export-path", ".", "--force"]
    subprocess.run([str(BIN / "wfctl"), *words], cwd=place, check=True, capture_output=True)
    return place


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as found:
        found.far = found.add('{"far": 1}')
        yield found


@contextmanager
def deployed(cluster: Cluster, folder: Path, port: int):
    """Deploy the config by Serve's own command until the block ends."""
    exported = [str(BIN / "wfctl"), "export", "ray", "flow.war", "-o", "app.yaml", "-f", "--port", str(port)]
    subprocess.run(exported, cwd=folder, check=True, capture_output=True)
    log = folder / "serve.log"
    with log.open("w") as said:
        running = subprocess.Popen(
            [str(BIN / "serve"), "run", "app.yaml", "--address", cluster.address],
            cwd=folder,
            env={**os.environ, **cluster.environment},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_ready(port, running, log)
            yield
        finally:
            running.terminate()
            running.wait(60)


def _wait_ready(port: int, running: subprocess.Popen, log: Path) -> None:
    ends_at = time.monotonic() + 120
    while not _is_ready(port):
        if running.poll() is not None or time.monotonic() > ends_at:
            raise AssertionError(log.read_text())
        time.sleep(0.2)  # nobody tells when Serve is ready


def _is_ready(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def port(cluster, folder):
    (found,) = free_ports(1)
    with deployed(cluster, folder, found):
        yield found


def test_nodes_run_where_their_resources_are_from_the_archive(cluster, port):
    answer = call(port, "POST", "/wfpredict/flow", b"where")
    said, _, place = answer.body.decode().partition(" ")
    assert (answer.status, said) == (200, "where")
    assert Path(place).is_relative_to(cluster.far.folder)


ASKED = [
    ("POST", "/wfpredict/flow", b"hello", {}),
    ("POST", "/wfpredict/flow", b"\x00\xff", {"content-type": "application/octet-stream"}),
    ("POST", "/wfpredict/flow", b"raise", {}),
    ("POST", "/wfpredict/other", b"hello", {}),
    ("POST", "/predictions/flow__middle", b"hello", {}),
    ("GET", "/wfpredict/flow", b"", {}),
    ("GET", "/ping", b"", {}),
    ("GET", "/v2/health/ready", b"", {}),
    ("GET", "/v2/models/flow/ready", b"", {}),
    ("GET", "/nowhere", b"", {}),
    ("OPTIONS", "/", b"", {}),
]


@pytest.fixture(scope="module")
def local(folder):
    with Served(folder, "flow.war", "--disable-token-auth") as server:
        yield server.ports["inference"]


@pytest.mark.parametrize(("method", "path", "body", "headers"), ASKED, ids=[f"{row[0]} {row[1]}" for row in ASKED])
def test_it_answers_as_a_server_of_one_machine(port, local, method, path, body, headers):
    there, here = call(port, method, path, body, headers), call(local, method, path, body, headers)
    assert there.status == here.status
    assert there.headers.get("content-type") == here.headers.get("content-type")
    assert there.body == here.body


def test_it_measures_and_has_no_management(port):
    call(port, "POST", "/wfpredict/flow", b"hello")
    told = call(port, "GET", "/metrics")
    assert told.status == 200
    assert b"wfctl_" in told.body
    assert call(port, "GET", "/workflows").status == 404
    assert call(port, "DELETE", "/workflows/flow").status == 404


def config_in(folder):
    return yaml.safe_load((folder / "app.yaml").read_text())


@pytest.mark.usefixtures("port")
def test_its_schema_is_serves_own(folder):
    config = ServeDeploySchema.model_validate(config_in(folder))
    assert config.applications[0].name == "flow"


@pytest.mark.usefixtures("port")
def test_another_archive_in_its_place_is_refused(folder, tmp_path):
    other = write_war(tmp_path / "flow.war", "dag: {first: [last]}", HANDLER)
    args = config_in(folder)["applications"][0]["args"]
    with pytest.raises(WfctlError, match=r"other than expected|sha256|digest"):
        prepare(request_of({**args, "workflow": str(other)}))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, 'say no "workflow"'),
        ({"workflow": "flow.war", "untill": "x"}, 'did you mean "until"'),
        ({"workflow": 3}, "say no"),
    ],
)
def test_arguments_that_make_no_sense_are_told(args, words):
    with pytest.raises(UnsupportedError, match=words):
        request_of(args)
