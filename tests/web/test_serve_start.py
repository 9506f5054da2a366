"""Starting and stopping a server: what it listens at, what it loads, what it says, what is left of it."""

import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from fakes.archives import write_mar, write_war
from fakes.served import WFCTL, Served, call

SPEC = "models: {max-workers: 1}\ndag: {echo: []}\n"
ECHO = "def echo(data, context):\n    return data and [row.get('body') for row in data]\n"
SLOW = "import time\ndef echo(data, context):\n    if data:\n        time.sleep(1)\n        return ['done']\n"
CERTIFICATE = Path(__file__).parent.parent / "fakes" / "certificates"


@pytest.fixture
def folder(tmp_path):
    """Return a folder that is a workflow."""
    place = tmp_path / "flow"
    place.mkdir()
    (place / "workflow.yaml").write_text(SPEC)
    (place / "handler.py").write_text(ECHO)
    return place


def serve(folder, *words, env=None):
    """Run a command that does not come to serving."""
    done = subprocess.run(
        [str(WFCTL), "serve", *map(str, words)],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def children_of(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    direct = [int(each) for each in found.stdout.split()]
    return direct + [deeper for each in direct for deeper in children_of(each)]


def is_alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_the_folders_own_workflow_is_served_without_a_word(folder):
    with Served(folder) as server:
        assert server.ask("POST", "/wfpredict/flow", "hello").body == b"hello"
        assert server.manage("GET", "/workflows").json == {
            "workflows": [{"workflowName": "flow", "workflowUrl": "flow"}]
        }


def test_several_workflows_whose_models_are_called_alike_do_not_meet(tmp_path):
    spec = "models: {m: {url: m.mar}}\ndag: {m: []}\n"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        answer = f"def handle(data, context):\n    return data and [{name!r} for _ in data]\n"
        write_mar(tmp_path / name / "m.mar", answer)
        write_war(tmp_path / name / f"{name}.war", spec)
    with Served(tmp_path, "one/one.war", "two/two.war") as server:
        assert server.ask("POST", "/wfpredict/one", "x").body == b"one"
        assert server.ask("POST", "/wfpredict/two", "x").body == b"two"
        assert server.ask("POST", "/predictions/two__m", "x").body == b"two"


def test_it_is_not_ready_before_all_is_warm_and_says_so_meanwhile(folder):
    gate = folder / "go"
    os.mkfifo(gate)
    (folder / "handler.py").write_text(f"open({str(gate)!r}).read()\n{ECHO}")
    with Served(folder, waits=False) as server:
        assert server.ask("GET", "/v2/health/live").json == {"live": True}
        ready = server.ask("GET", "/v2/health/ready")
        assert (ready.status, ready.json) == (503, {"ready": False})
        assert server.ask("GET", "/ping").status == 503
        assert server.ask("POST", "/wfpredict/flow", "x").status == 404
        gate.write_text("now")
        server.wait_for("ready: ")
        assert server.ask("GET", "/v2/health/ready").status == 200
        assert server.ask("GET", "/ping").json == {"status": "Healthy"}


def test_listens_on_loopback_alone_unless_it_is_told_otherwise(folder):
    with Served(folder) as server:
        own = {line.split()[3] for line in _sockets_of(server.process.pid)}
        assert own
        assert all(place.startswith("127.0.0.1:") for place in own), own


def _sockets_of(pid):
    found = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=False).stdout.splitlines()
    return [line for line in found if f"pid={pid}," in line]


def test_one_address_for_two_apis_serves_both(folder):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    place = f"http://127.0.0.1:{port}"
    words = ("--inference-address", place, "--management-address", place, "--metrics-address", "http://127.0.0.1:0")
    with Served(folder, *words) as server:
        assert server.ports["inference"] == server.ports["management"] == port
        assert server.ask("POST", "/wfpredict/flow", "x").body == b"x"
        assert server.ask("GET", "/workflows").status == 200


def test_management_is_not_served_at_the_inference_address(folder):
    with Served(folder) as server:
        assert server.ask("GET", "/workflows").status == 404
        assert server.manage("POST", "/wfpredict/flow", "x").status == 404


def test_a_socket_in_the_file_system_is_served_and_removed(folder, tmp_path):
    path = tmp_path / "wfctl.sock"
    other = ("--management-address", "http://127.0.0.1:0", "--metrics-address", "http://127.0.0.1:0")
    for _ in range(2):  # the second time over what a killed server leaves
        server = Served(folder, "--inference-address", f"unix:{path}", *other)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"POST /wfpredict/flow HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
            whole = b""
            while piece := client.recv(65536):
                whole += piece
        assert whole.endswith(b"\r\n\r\nhi")
        server.stop(signal.SIGKILL)
        assert path.exists()
    with Served(folder, "--inference-address", f"unix:{path}", *other):
        assert stat.S_ISSOCK(path.stat().st_mode)
    assert not path.exists()


def test_tls_is_served_with_a_certificate_and_refused_without(folder):
    other = ("--management-address", "http://127.0.0.1:0", "--metrics-address", "http://127.0.0.1:0")
    secure = ("--inference-address", "https://127.0.0.1:0")
    code, said = serve(folder, *secure, *other)
    assert (code, "needs a certificate" in said) == (4, True)
    files = (
        "--certificate-file",
        CERTIFICATE / "models.test.pem",
        "--private-key-file",
        CERTIFICATE / "models.test.key",
    )
    with Served(folder, *secure, *other, *files) as server:
        context = ssl.create_default_context(cafile=CERTIFICATE / "models.test.pem")
        context.check_hostname = False
        client = http.client.HTTPSConnection("127.0.0.1", server.ports["inference"], context=context, timeout=30)
        body = bytes(range(256)) * 4096
        client.request("POST", "/wfpredict/flow", body)
        assert client.getresponse().read() == body
        client.close()


def test_a_configuration_file_and_the_environment_are_followed(folder):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "config.properties").write_text(
        f"inference_address=http://127.0.0.1:{port}\nmanagement_address=http://127.0.0.1:0\n"
        "metrics_address=http://127.0.0.1:0\nmax_request_size=10\nnumber_of_netty_threads=4\nnonsense=1\n"
    )
    with Served(folder, "--metrics-address", "http://127.0.0.1:0", env={"WFCTL_MAX_REQUEST_SIZE": "20"}) as server:
        assert server.ports["inference"] == port
        assert server.ask("POST", "/wfpredict/flow", "x" * 20).status == 200
        assert server.ask("POST", "/wfpredict/flow", "x" * 21).status == 413
        assert any("number_of_netty_threads" in line for line in server.lines)
        assert any("nonsense" in line for line in server.lines)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("absent.war",), 1, "absent.war"),
        (("--inference-address", "ftp://x"), 2, "http://host:port"),
        (("--name", "good.example", "--name", "a b"), 2, '"a b": '),
        (("--inference-address", "http://127.0.0.1:99999"), 2, "port"),
        (("--ts-config", "absent.properties"), 1, "absent.properties"),
        (("--inference-address", "http://192.0.2.1:1", "--disable-token-auth"), 4, "cannot listen"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(folder, words, code, said):
    found, text = serve(folder, *words)
    assert found == code, text
    assert said in text
    assert "Traceback" not in text


def test_an_address_that_is_taken_is_said(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"http://127.0.0.1:{taken.getsockname()[1]}"
        code, said = serve(folder, "--inference-address", place)
    assert code == 4
    assert "something listens there already" in said


def test_a_workflow_that_does_not_load_ends_the_start_with_its_reason(folder):
    (folder / "handler.py").write_text("import nonsense_module\n" + ECHO)
    code, said = serve(folder, *_anywhere())
    assert code == 3
    assert "nonsense_module" in said


def _anywhere():
    return [
        word for role in ("inference", "management", "metrics") for word in (f"--{role}-address", "http://127.0.0.1:0")
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_it_answer_what_has_come_and_end(folder, number):
    (folder / "handler.py").write_text(SLOW)
    server = Served(folder)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(server.ask("POST", "/wfpredict/flow", "x")))
    asking.start()
    _until(lambda: _running(server))
    workers = children_of(server.process.pid)
    assert server.stop(number) == 0
    asking.join(30)
    assert [(each.status, each.body) for each in answers] == [(200, b"done")]
    assert answers[0].headers["connection"] == "close"
    assert workers
    assert not [pid for pid in workers if is_alive(pid)]


def _running(server, key=None):
    return call(server.ports["management"], "GET", "/workflows/flow", headers=key).json[0]["wfctl"]["runs"]


def _until(is_so, seconds=30):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end


def test_while_it_drains_it_is_not_ready_and_takes_nobody_new(folder):
    (folder / "handler.py").write_text(SLOW)
    server = Served(folder)
    answers = []
    with socket.create_connection(("127.0.0.1", server.ports["inference"])) as idle:
        asking = threading.Thread(target=lambda: answers.append(server.ask("POST", "/wfpredict/flow", "x")))
        asking.start()
        _until(lambda: _running(server))
        server.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""  # who asks nothing is let go
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.ports["inference"]))
    asking.join(30)
    assert answers[0].status == 200
    assert server.process.wait(30) == 0
    server.stop()


def test_a_second_signal_ends_it_at_once(folder):
    (folder / "handler.py").write_text(SLOW.replace("sleep(1)", "sleep(60)"))
    server = Served(folder, "--token-auth")
    keys = json.loads((folder / "key_file.json").read_text())
    key = {role: {"Authorization": f"Bearer {keys[role]['key']}"} for role in ("inference", "management")}
    asking = threading.Thread(target=_ask_in_vain, args=(server, key["inference"]))
    asking.start()
    _until(lambda: _running(server, key["management"]))
    workers = children_of(server.process.pid)
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("draining")
    began = time.monotonic()
    assert server.stop(signal.SIGTERM) == 130
    assert time.monotonic() - began < 15
    assert not (folder / "key_file.json").exists()
    asking.join(30)
    _until(lambda: not [pid for pid in workers if is_alive(pid)])


def _ask_in_vain(server, key):
    with suppress(OSError, http.client.HTTPException):
        assert call(server.ports["inference"], "POST", "/wfpredict/flow", "x", key).status >= 500


def test_keys_are_removed_also_where_it_cannot_start(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"http://127.0.0.1:{taken.getsockname()[1]}"
        code, _ = serve(folder, "--token-auth", "--inference-address", place)
    assert code == 4
    assert not (folder / "key_file.json").exists()


def test_nothing_is_left_of_a_server_that_was_killed(folder):
    server = Served(folder)
    workers = children_of(server.process.pid)
    server.stop(signal.SIGKILL)
    assert workers
    _until(lambda: not [pid for pid in workers if is_alive(pid)])


def test_beyond_this_machine_keys_are_asked_for(folder):
    words = ("--inference-address", "http://0.0.0.0:0", "--management-address", "http://127.0.0.1:0")
    with Served(folder, *words, "--metrics-address", "http://127.0.0.1:0") as server:
        path = folder / "key_file.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        answer = server.ask("POST", "/wfpredict/flow", "x")
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert not path.exists()
    with Served(folder, *words, "--metrics-address", "http://127.0.0.1:0", "--disable-token-auth") as server:
        assert server.ask("POST", "/wfpredict/flow", "x").body == b"x"
        assert not path.exists()


def test_the_limit_of_open_files_is_raised(folder):
    with Served(folder) as server:
        limits = Path(f"/proc/{server.process.pid}/limits").read_text()
        soft, hard = next(line for line in limits.splitlines() if line.startswith("Max open files")).split()[3:5]
        assert soft == hard


def test_only_the_node_whose_file_changed_gets_new_workers(tmp_path):
    spec = "models: {m: {url: m.mar}}\ndag: {echo: [m]}\n"
    pid = "import os\n\ndef handle(data, context):\n    return data and [f'{os.getpid()} %s' for _ in data]\n"
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "workflow.yaml").write_text(spec)
    (folder / "handler.py").write_text(ECHO)
    write_mar(folder / "m.mar", pid % "old")
    with Served(folder, "--reload") as server:
        server.wait_for("watching")
        before = _pids(server)
        write_mar(folder / "m.mar", pid % "new version")
        server.wait_for("reloaded flow: m")
        assert b"new version" in server.ask("POST", "/wfpredict/flow", "x").body
        after = _pids(server)
        assert after["echo"] == before["echo"]
        assert after["m"] != before["m"]
        (folder / "handler.py").write_text("nonsense(")
        server.wait_for("error[")
        assert server.ask("POST", "/wfpredict/flow", "x").status == 200
        (folder / "handler.py").write_text(ECHO + "# again\n")
        server.wait_for("reloaded flow: echo")
        assert _pids(server)["m"] == after["m"]
        (folder / "handler.py").write_text(ECHO + "more = echo\n")
        (folder / "workflow.yaml").write_text("models: {m: {url: m.mar}}\ndag: {echo: [m], m: [more]}\n")
        server.wait_for("its graph has changed")
        assert set(_pids(server)) == {"echo", "m", "more"}
        assert b"new version" in server.ask("POST", "/wfpredict/flow", "x").body


def _pids(server):
    (told,) = server.manage("GET", "/workflows/flow").json
    return {node["name"]: [worker["pid"] for worker in node["workers"]] for node in told["wfctl"]["nodes"]}
