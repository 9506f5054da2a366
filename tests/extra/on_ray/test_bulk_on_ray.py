"""Bulk runs on Ray Data: the same files as the local engine writes, whatever happens to handlers and processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WFCTL = Path(sys.executable).parent / "wfctl"
SPEC = """
models: {max-workers: 1, retry-attempts: 1, timeout-ms: 20000}
dag: {first: [left, right], left: [last], right: [last]}
wfctl: {functions: {left: {batch-size: 4, max-batch-delay: 5}, right: {max-workers: 2}}}
"""
HANDLER = """
import json, os

def first(data, context):
    if data is None: return None
    value = data[0]["body"]
    if value == "print": print("a line of the handler", flush=True)
    return [json.dumps(value)]

def left(data, context):
    if data is None: return None
    values = [json.loads(row["body"]) for row in data]
    if "die" in values: os._exit(3)
    if "raise" in values: raise ValueError("it was asked for")
    return [json.dumps(["left", value]) for value in values]

def right(data, context):
    return data and [json.dumps(["right", json.loads(row["body"])]) for row in data]

def last(data, context):
    return data and [{name: json.loads(row[name]) for name in sorted(row)} for row in data]
"""

pytestmark = pytest.mark.usefixtures("ray_address")


@pytest.fixture
def flow(tmp_path):
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "workflow.yaml").write_text(SPEC)
    (folder / "handler.py").write_text(HANDLER)
    return folder


@pytest.fixture
def run(flow, ray_address):
    """Return a function that runs ``wfctl run`` beside the workflow, by default on Ray."""

    def run(*words, engine="ray", **more):
        address = ["--ray-address", ray_address] if engine == "ray" else []
        command = [str(WFCTL), "run", "-w", str(flow), "--engine", engine, *address, *map(str, words)]
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
        return subprocess.run(command, cwd=flow, env=environment, capture_output=True, text=True, timeout=100, **more)

    return run


def lines(path: Path, values) -> Path:
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values))
    return path


def test_the_output_is_that_of_the_local_engine_failures_and_all(flow, run):
    values = [*range(300), "raise", *range(300, 600), {"a": None}, "die", *range(600, 900)]
    source = lines(flow / "in.jsonl", values)
    with source.open("a") as more:
        more.write("this is no JSON\n7\n")
    done = run(source, "-o", "ray.jsonl")
    assert done.returncode == 3, done.stderr
    assert "905 lines in ray.jsonl: 902 answered, 3 failed" in done.stderr
    there = run(source, "-o", "local.jsonl", engine="local")
    assert there.returncode == 3
    ours, theirs = ((flow / name).read_text().splitlines() for name in ("ray.jsonl", "local.jsonl"))
    assert ours == theirs
    assert (flow / "ray.errors.jsonl").read_text() == (flow / "local.errors.jsonl").read_text()


def test_a_run_that_was_killed_goes_on_where_it_was(flow, run, ray_address):
    source = lines(flow / "in.jsonl", range(20_000))
    words = [str(WFCTL), "run", "-w", str(flow), str(source), "-o", "out.jsonl", "--engine", "ray"]
    first = subprocess.Popen([*words, "--ray-address", ray_address], cwd=flow, stderr=subprocess.PIPE, text=True)
    output = flow / "out.jsonl"
    while not output.exists() or output.stat().st_size == 0:
        assert first.poll() is None, first.stderr.read()
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stderr.close()
    before = len(output.read_text().splitlines())
    assert 0 < before < 20_000
    done = run(source, "-o", "out.jsonl", "--resume")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["answer"]["left"][1] for line in output.read_text().splitlines()] == list(range(20_000))


def test_an_interrupt_ends_it_with_a_whole_output(flow, ray_address):
    source = lines(flow / "in.jsonl", range(200_000))
    words = [str(WFCTL), "run", "-w", str(flow), str(source), "-o", "out.jsonl", "--engine", "ray"]
    running = subprocess.Popen([*words, "--ray-address", ray_address], cwd=flow, stderr=subprocess.PIPE, text=True)
    output = flow / "out.jsonl"
    while not output.exists() or output.stat().st_size == 0:
        assert running.poll() is None, running.stderr.read()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "--resume goes on" in said
    assert "Traceback" not in said, said
    text = output.read_text()
    assert text.endswith("\n")
    assert all(json.loads(line) for line in text.splitlines())


def test_a_stream_is_answered_and_failures_end_it_where_they_should(run, flow):
    text = "".join(f"{json.dumps(value)}\n" for value in [1, "raise", 2, "raise", 3])
    done = run("-", "--format", "jsonl", "--on-error", "keep", input=text)
    assert done.returncode == 3, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in each for each in answers] == [False, True, False, True, False]
    done = run("-", "--format", "jsonl", "--on-error", "stop", input=text)
    assert done.returncode == 3, done.stderr
    assert len(done.stdout.splitlines()) == 2


@pytest.fixture
def streaming(flow, ray_address):
    """Return a function that starts ``wfctl run`` on standard input, which stays open."""

    def streaming():
        words = ["run", "-w", str(flow), "-", "--format", "jsonl", "--engine", "ray", "--ray-address", ray_address]
        pipe = subprocess.PIPE
        return subprocess.Popen([str(WFCTL), *words], cwd=flow, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    return streaming


def test_a_stream_is_answered_line_by_line_while_it_is_open(streaming):
    with streaming() as running:
        for number in range(3):
            running.stdin.write(f"{number}\n")
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["answer"]["left"] == ["left", number]
        running.stdin.close()
        assert running.wait(60) == 0


def test_a_quiet_stream_does_not_keep_a_failure_back(flow, streaming):
    (flow / "handler.py").write_text("import nonsense_module\n" + HANDLER)
    with streaming() as running:
        assert running.wait(60) == 3
        assert "nonsense_module" in running.stderr.read()


def test_a_node_that_does_not_load_ends_it_with_its_reason(flow, run):
    (flow / "handler.py").write_text("import nonsense_module\n" + HANDLER)
    done = run(lines(flow / "in.jsonl", [1]), "-o", "out.jsonl")
    assert done.returncode == 3, done.stderr
    assert "failed to load" in done.stderr
    assert "nonsense_module" in done.stderr
    assert done.stderr.count("Traceback") == 1


def test_what_handlers_print_is_shown_with_the_name_of_the_node(flow, run):
    done = run(lines(flow / "in.jsonl", ["print", 1]), "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert "[first] a line of the handler" in done.stderr


def test_what_contradicts_itself_is_refused(flow, run):
    done = run(lines(flow / "in.jsonl", [1]), "--inline")
    assert (done.returncode, "choose one" in done.stderr) == (2, True)
    done = run(flow / "in.jsonl", "--window", "10")
    assert (done.returncode, "--window cannot be had with --engine ray" in done.stderr) == (2, True)
    done = subprocess.run(
        [str(WFCTL), "serve", str(flow), "--reload", "--engine", "ray"], capture_output=True, text=True
    )
    assert (done.returncode, "--reload cannot be had with --engine ray" in done.stderr) == (2, True)
    done = subprocess.run(
        [str(WFCTL), "run", "-w", str(flow), "in.jsonl", "--ray-address", "auto"],
        cwd=flow,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, "--engine ray" in done.stderr) == (2, True)
