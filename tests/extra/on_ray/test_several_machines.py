"""Several machines: files go where nodes are, nodes where their resources are; a machine that dies takes nothing along.

Each machine is a Ray node of its own processes and its own temporary folder, started as people start it.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from fakes.archives import write_war, write_zip
from fakes.served import Served
from machines import Cluster

WFCTL = Path(sys.executable).parent / "wfctl"
ENDS = 200
"""Seconds after which a command has surely got stuck."""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Return a head and two machines that are told apart by what they have."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as found:
        found.left, found.right = found.add('{"left": 4}'), found.add('{"right": 4, "models": 1}')
        yield found


def wfctl(cluster: Cluster, folder: Path, *words: object, **more) -> subprocess.Popen:
    """Start a command on a cluster."""
    return subprocess.Popen(
        [str(WFCTL), *map(str, words), "--engine", "ray", "--ray-address", cluster.address],
        cwd=folder,
        env={**os.environ, **cluster.environment, "NO_COLOR": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def done(process: subprocess.Popen) -> tuple[int, str, str]:
    """Wait for a command and return its exit code and what it said."""
    output, said = process.communicate(timeout=ENDS)
    return process.returncode, output, said


# Where nodes and files come to be

PLACED = """
models:
  min-workers: 1
  max-workers: 1
  third: {url: third.mar}
dag: {first: [second], second: [third]}
wfctl: {nodes: {first: {resources: {left: 1}}, second: {resources: {right: 1}}, third: {resources: {models: 1}}}}
"""
FUNCTIONS = """
import json
import helper

def first(data, context):
    return data and [json.dumps({"first": __file__, "helper": helper.__file__}) for _ in data]

def second(data, context):
    return data and [json.dumps({"second": __file__, **json.loads(bytes(row["body"]))}) for row in data]
"""
MODEL = """
import json
from pathlib import Path

class Model:
    def initialize(self, context):
        self.weights = Path(context.system_properties["model_dir"], "deep", "weights.bin").read_bytes()

    def handle(self, data, context):
        passed = [json.loads(bytes(row["body"])) for row in data]
        return [{"third": __file__, "weights": len(self.weights), **each} for each in passed]
"""
WEIGHTS = 40 * 2**20


@pytest.fixture
def placed(tmp_path):
    """Return a workflow whose three nodes want to be on certain machines, with files that they need there."""
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "workflow.yaml").write_text(PLACED)
    (folder / "handler.py").write_text(FUNCTIONS)
    (folder / "helper.py").write_text("")
    model = {"modelName": "third", "modelVersion": "1.0", "handler": "handler.py"}
    manifest = json.dumps({"runtime": "python", "model": model})
    files = {"MAR-INF/MANIFEST.json": manifest, "handler.py": MODEL, "deep/weights.bin": "w" * WEIGHTS}
    write_zip(folder / "third.mar", files)
    return folder


def test_nodes_land_where_their_resources_are_and_find_their_files_there(cluster, placed):
    code, output, said = done(wfctl(cluster, placed, "run", "handler.py", "-w", "."))
    assert code == 0, said
    answer = json.loads(output)
    assert answer.pop("weights") == WEIGHTS
    own = {name: Path(path) for name, path in answer.items()}
    assert own["first"].is_relative_to(cluster.left.folder)
    assert own["helper"].parent == own["first"].parent
    assert own["second"].is_relative_to(cluster.right.folder)
    assert own["third"].is_relative_to(cluster.right.folder)
    assert own["third"].parent != own["second"].parent


def test_stages_of_a_bulk_run_do_so_too(cluster, placed):
    (placed / "in.jsonl").write_text("1\n2\n3\n")
    code, _, said = done(wfctl(cluster, placed, "run", "in.jsonl", "-w", ".", "-o", "out.jsonl"))
    assert code == 0, said
    for line in (placed / "out.jsonl").read_text().splitlines():
        answer = json.loads(line)["answer"]
        assert Path(answer["first"]).is_relative_to(cluster.left.folder)
        assert Path(answer["third"]).is_relative_to(cluster.right.folder)
        assert answer["weights"] == WEIGHTS


def test_a_replica_that_comes_later_finds_its_files_without_the_servers_folder(cluster, placed):
    with Served(placed, ".", "--engine", "ray", "--ray-address", cluster.address, env=cluster.environment) as server:
        (placed / "handler.py").rename(placed / "gone.py")  # a function's folder is the user's own
        answer = server.ask("POST", "/wfpredict/flow", b"1").json
        assert Path(answer["first"]).is_relative_to(cluster.left.folder)
        scaled = server.manage("PUT", "/workflows/flow/nodes/first?min_worker=2&max_worker=2")
        assert scaled.status in {200, 202}, scaled
        told = server.wait_for("flow first: worker", count=2)
        assert "ready" in told


def test_a_folder_that_is_too_large_to_be_sent_around_is_refused_before_anything_starts(cluster, placed):
    with (placed / "data.bin").open("wb") as file:
        file.truncate(600 * 2**20)
    code, _, said = done(wfctl(cluster, placed, "run", "handler.py", "-w", "."))
    assert code == 1, said
    assert "has more than 512 MB to send to other machines" in said
    assert "wfctl archive" in said


def test_a_machine_with_another_wfctl_is_told_by_its_version(cluster, placed, tmp_path):
    other = tmp_path / "packages" / "wfctl"
    other.mkdir(parents=True)
    ours = Path(WFCTL.parents[2], "wfctl").resolve()
    import wfctl as installed

    ours = Path(installed.__file__).parent
    (other / "__init__.py").write_text(f"__version__ = '0.0.1'\n__path__.append({str(ours)!r})\n")
    old = cluster.add('{"old": 1}', env={"PYTHONPATH": str(other.parent)})
    try:
        spec = (placed / "workflow.yaml").read_text().replace("right: 1", "old: 1")
        (placed / "workflow.yaml").write_text(spec)
        code, _, said = done(wfctl(cluster, placed, "run", "handler.py", "-w", "."))
    finally:
        old.kill()
    assert code == 3, said
    assert (
        f'node "second" was placed on a machine with wfctl 0.0.1, and is sent by wfctl {installed.__version__}' in said
    )
    assert f"install wfctl {installed.__version__} on every machine" in said


def test_who_has_not_the_token_is_told_of_it(cluster, placed):
    stranger = {**os.environ, "NO_COLOR": "1", "RAY_AUTH_MODE": "disabled"}
    words = ["run", "handler.py", "-w", ".", "--engine", "ray", "--ray-address", cluster.address]
    refused = subprocess.run(
        [str(WFCTL), *words], cwd=placed, env=stranger, capture_output=True, text=True, timeout=ENDS
    )
    assert refused.returncode == 4, refused.stderr
    assert "cannot be joined" in refused.stderr
    assert "RAY_AUTH_TOKEN" in refused.stderr


# Machines that die

WORK = """
models: {timeout-ms: 5000}
dag: {first: [second]}
wfctl:
  functions: {first: {min-workers: 2, max-workers: 2, timeout-ms: 5000}, second: {min-workers: 2, max-workers: 2, timeout-ms: 5000}}
  nodes: {first: {resources: {work: 1}}, second: {resources: {work: 1}}}
"""
WORKERS = """
import time

def first(data, context):
    return data and [bytes(row["body"]) for row in data]

def second(data, context):
    if data:
        time.sleep(0.01)
    return data and [bytes(row["body"]) + b" " + __file__.encode() for row in data]
"""


class Clients:
    """Clients who ask without a pause, each for an answer of its own, and what they got."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._is_over = threading.Event()
        self.news = threading.Condition()
        self.places: Counter[str] = Counter()
        """Folders that good answers came from."""
        self.bad: list[tuple[int, bytes]] = []
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(count)]

    def __enter__(self):
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *reason):
        self._is_over.set()
        for each in self._threads:
            each.join()

    def wait_for(self, is_so, seconds: float = 120) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self.bad or is_so(self.places), seconds), self.places
        assert self.bad == []

    def _ask(self, number: int) -> None:
        connection, asked = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120), 0
        while not self._is_over.is_set():
            asked += 1
            word = f"{number}-{asked}".encode()
            try:
                connection.request("POST", "/wfpredict/flow", word)
                response = connection.getresponse()
                status, body = response.status, response.read()
            except OSError as error:
                status, body = 0, repr(error).encode()
            said, _, place = body.partition(b" ")
            with self.news:
                if status == 200 and said == word:
                    self.places[place.decode()] += 1
                else:
                    self.bad.append((status, body))
                self.news.notify_all()
        connection.close()


def places_on(places: Counter[str], machine) -> int:
    return sum(count for place, count in places.items() if Path(place).is_relative_to(machine.folder))


def test_a_machine_that_dies_under_load_takes_no_request_along_and_another_takes_its_place(tmp_path):
    war = write_war(tmp_path / "flow.war", WORK, WORKERS)
    with Cluster(tmp_path) as cluster:
        stays, goes = cluster.add('{"work": 2}'), cluster.add('{"work": 2}')
        words = ["--engine", "ray", "--ray-address", cluster.address]
        with (
            Served(tmp_path, war, *words, env=cluster.environment) as server,
            Clients(server.ports["inference"], 16) as clients,
        ):
            clients.wait_for(lambda places: places_on(places, stays) > 50 and places_on(places, goes) > 50)
            goes.kill()
            before = places_on(clients.places, stays)
            clients.wait_for(lambda places: places_on(places, stays) > before + 200)
            comes = cluster.add('{"work": 2}')
            clients.wait_for(lambda places: places_on(places, comes) > 50)
            server.wait_for("was lost: its replica is there no more")
    assert clients.bad == []


BULK = """
models: {timeout-ms: 20000}
dag: {first: [second], second: [third]}
wfctl:
  functions: {second: {min-workers: 2, max-workers: 2, batch-size: 4}}
  nodes: {first: {resources: {goes: 1}}, second: {resources: {work: 1}}, third: {resources: {stays: 1}}}
"""
BULK_HANDLER = """
import time

def first(data, context):
    return data and [row["body"] for row in data]

def second(data, context):
    return data and [row["body"] for row in data]

def third(data, context):
    if data:
        time.sleep(0.0015)
    return data and [row["body"] for row in data]
"""


def test_a_machine_that_dies_in_a_bulk_run_takes_no_input_along(tmp_path):
    # Values are so large that Ray holds them on the machine that made them, and loses them with it; and the last node
    # so slow that some lie there when it dies.
    war = write_war(tmp_path / "flow.war", BULK, BULK_HANDLER)
    values = [f"{number} {'x' * 3000}" for number in range(8000)]
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(value)}\n" for value in values))
    output = tmp_path / "out.jsonl"
    with Cluster(tmp_path) as cluster:
        cluster.add('{"work": 2, "stays": 1}')
        goes = cluster.add('{"work": 2, "goes": 1}')
        running = wfctl(cluster, tmp_path, "run", "in.jsonl", "-w", war, "-o", output)
        ends_at = time.monotonic() + 60
        while not output.exists() or output.stat().st_size < 1000 * 3000:
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < ends_at
            time.sleep(0.05)  # a file tells nobody that it grew
        goes.kill()
        cluster.add('{"work": 2, "goes": 1}')
        code, _, said = done(running)
    assert code == 0, said
    assert "8,000 lines" in said
    answers = [json.loads(line) for line in output.read_text().splitlines()]
    assert [answer["answer"] for answer in answers] == values
    assert "Traceback" not in said
