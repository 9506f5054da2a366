"""``wfctl run --resume``: a run that was broken at any moment ends with one answer for every input."""

import json
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

WFCTL = Path(sys.executable).parent / "wfctl"

CHAIN = (
    "dag:\n  first: [second]\nwfctl:\n  functions:\n    second: {batch-size: 4, max-batch-delay: 1, max-workers: 2}\n"
)
HANDLER = """
    import os

    def first(data, context):
        for row in data or []:
            if row["body"] % 10 == 7:
                raise ValueError("no sevens")
        return data and [row["body"] for row in data]

    def second(data, context):
        for row in data or []:
            value = int(row["body"])
            with open(os.environ["SEEN"], "ab", buffering=0) as seen:
                seen.write(b"%d\\n" % value)
            if value % 20 == 0:
                print("at", value, flush=True)
        return data and [{"twice": 2 * int(row["body"])} for row in data]
"""
COUNT = 600


@pytest.fixture
def words(flow, tmp_path, monkeypatch):
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    (tmp_path / "in.jsonl").write_text("".join(f"{number}\n" for number in range(COUNT)))
    return [str(WFCTL), "run", "-w", str(flow(CHAIN, HANDLER)), "in.jsonl", "--progress", "none", "--window", "20"]


def run(words, folder, *more):
    return subprocess.run([*words, *more], cwd=folder, capture_output=True, text=True, timeout=90)


def run_and_kill(words, folder, output, at, *more, how=signal.SIGKILL):
    """Run until the handler has seen ``at``, then end the command."""
    argv = [*words, "-o", output, *more]
    with subprocess.Popen(argv, cwd=folder, stderr=subprocess.PIPE, start_new_session=True) as process:
        for line in process.stderr:
            found = re.search(rb"at (\d+)", line)
            if found is not None and int(found[1]) >= at:
                process.send_signal(how)
                break
        rest = process.stderr.read().decode()
    return process.returncode, rest


def numbers(path):
    return [json.loads(line)["number"] for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_that_was_killed_again_and_again_ends_like_one_that_was_not(words, tmp_path, seed) -> None:
    chance = random.Random(seed)
    whole = run(words, tmp_path, "-o", "whole.jsonl")
    assert whole.returncode == 3, whole.stderr
    (tmp_path / "seen").unlink()
    for kill, at in enumerate(sorted(chance.sample(range(0, COUNT - 100, 20), 4))):
        code, _ = run_and_kill(words, tmp_path, "out.jsonl", at, *(["--resume"] if kill else []))
        assert code == -signal.SIGKILL
        if chance.random() < 0.5:
            with (tmp_path / "out.jsonl").open("ab") as torn:
                torn.write(b'{"number": 9999, "status": 200, "ans')
    done = run(words, tmp_path, "-o", "out.jsonl", "--resume")
    assert done.returncode == 3, done.stderr
    broken = re.compile(rb'"traceback": "[^\n]*')
    out, expected = ((tmp_path / name).read_bytes() for name in ("out.jsonl", "whole.jsonl"))
    assert broken.sub(b"", out) == broken.sub(b"", expected)
    assert numbers(tmp_path / "out.jsonl") == list(range(1, COUNT + 1))
    assert numbers(tmp_path / "out.errors.jsonl") == [number + 1 for number in range(7, COUNT, 10)]
    seen = Counter((tmp_path / "seen").read_text().split())
    assert seen.keys() == {str(number) for number in range(COUNT) if number % 10 != 7}
    # At least once; again only where a run was broken.
    assert max(seen.values()) <= 5


@pytest.mark.parametrize("output", ["out.jsonl", "out/"])
def test_whenever_a_run_is_killed_it_can_go_on(words, tmp_path, output) -> None:
    chance = random.Random(output)
    for _ in range(8):
        # Also while it starts, loads, is continued, or derives the failures.
        argv = [*words, "-o", output, "--resume"]
        with subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=chance.uniform(0.05, 0.9))
            process.kill()
    done = run(words, tmp_path, "-o", output, "--resume")
    assert done.returncode == 3, done.stderr
    if output.endswith("/"):
        found = [
            json.loads(path.read_bytes()) for path in (tmp_path / "out").glob("0*.json") if "error" not in path.name
        ]
        assert sorted(answer["twice"] for answer in found) == [2 * n for n in range(COUNT) if n % 10 != 7]
        assert len(list((tmp_path / "out").glob("*.error.json"))) == COUNT / 10
        assert not list((tmp_path / "out").glob(".*.part"))
    else:
        lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
        assert [line["number"] for line in lines] == list(range(1, COUNT + 1))
        answers = [line["answer"]["twice"] for line in lines if line["status"] == 200]
        assert answers == [2 * n for n in range(COUNT) if n % 10 != 7]


def test_a_folder_of_answers_goes_on_too(words, tmp_path) -> None:
    for kill, at in enumerate((60, 300)):
        code, _ = run_and_kill(words, tmp_path, "out/", at, *(["--resume"] if kill else []))
        assert code == -signal.SIGKILL
        (tmp_path / "out" / ".000599.part").write_bytes(b"half")
    done = run(words, tmp_path, "-o", "out", "--resume")
    assert done.returncode == 3, done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()} - {".wfctl-run.json", "errors.jsonl"}
    assert names == {f"{n + 1:06d}.error.json" if n % 10 == 7 else f"{n + 1:06d}.json" for n in range(COUNT)}
    assert all(json.loads((tmp_path / "out" / name).read_bytes()) for name in names)
    assert sorted(numbers(tmp_path / "out" / "errors.jsonl")) == [n + 1 for n in range(7, COUNT, 10)]


def test_a_run_that_is_finished_is_left_alone_and_ends_as_it_did(words, tmp_path) -> None:
    first = run(words, tmp_path, "-o", "out.jsonl", "--limit", "7")
    assert first.returncode == 0
    (tmp_path / "seen").unlink()
    before = (tmp_path / "out.jsonl").stat()
    again = run(words, tmp_path, "-o", "out.jsonl", "--limit", "7", "--resume")
    assert (again.returncode, again.stderr) == (0, "nothing is left to do\n")
    assert (tmp_path / "out.jsonl").stat().st_mtime_ns == before.st_mtime_ns
    assert run(words, tmp_path, "-o", "out.jsonl", "--limit", "9", "--resume").returncode == 3
    assert run(words, tmp_path, "-o", "out.jsonl", "--limit", "9", "--resume").returncode == 3
    assert (tmp_path / "seen").read_text().split() == ["8"]


def test_resume_begins_a_run_that_there_was_not(words, tmp_path) -> None:
    assert run(words, tmp_path, "-o", "out.jsonl", "--resume", "--limit", "5").returncode == 0
    assert numbers(tmp_path / "out.jsonl") == [1, 2, 3, 4, 5]


@pytest.fixture
def begun(words, tmp_path):
    assert run(words, tmp_path, "-o", "out.jsonl", "--limit", "5").returncode == 0
    return words


def refused(words, folder, *more):
    before = (folder / "out.jsonl").read_bytes()
    done = run(words, folder, "-o", "out.jsonl", "--resume", *more)
    assert done.returncode == 1
    assert (folder / "out.jsonl").read_bytes() == before
    assert "--overwrite" in done.stderr
    return done.stderr


def test_other_inputs_are_refused(begun, tmp_path) -> None:
    text = (tmp_path / "in.jsonl").read_text()
    (tmp_path / "in.jsonl").write_text(text.replace("\n1\n", "\n3\n"))
    assert "the inputs have changed" in refused(begun, tmp_path)
    (tmp_path / "in.jsonl").write_text(text + "1\n")
    assert f"inputs, bytes: {len(text)} then, {len(text) + 2} now" in refused(begun, tmp_path)
    (tmp_path / "in.jsonl").write_text(text)
    assert run(begun, tmp_path, "-o", "out.jsonl", "--resume", "--limit", "6").returncode == 0


def test_another_workflow_is_refused_and_other_worker_settings_are_not(begun, tmp_path) -> None:
    spec, handler = tmp_path / "flow" / "workflow.yaml", tmp_path / "flow" / "handler.py"
    text = handler.read_text()
    handler.write_text(text.replace("2 *", "3 *"))
    assert "the workflow has changed" in refused(begun, tmp_path)
    handler.write_text(text)
    spec.write_text(CHAIN.replace("first: [second]", "second: []"))
    assert "the workflow has changed" in refused(begun, tmp_path)
    spec.write_text(CHAIN.replace("batch-size: 4", "batch-size: 2"))
    assert run(begun, tmp_path, "-o", "out.jsonl", "--resume", "--limit", "6").returncode == 0


def test_other_options_are_refused(begun, tmp_path) -> None:
    assert 'option until: none then, "first" now' in refused(begun, tmp_path, "--until", "first")
    assert 'option format: none then, "csv" now' in refused(begun, tmp_path, "--format", "csv")


def test_an_output_that_is_of_no_run_is_refused(begun, tmp_path) -> None:
    (tmp_path / "out.run.json").unlink()
    assert '"out.run.json", which says what its run was about, is missing' in refused(begun, tmp_path)
    assert run(begun, tmp_path, "-o", "out.jsonl", "--overwrite", "--limit", "3").returncode == 0
    assert numbers(tmp_path / "out.jsonl") == [1, 2, 3]


def test_ctrl_c_leaves_whole_lines_and_says_how_to_go_on(words, tmp_path) -> None:
    code, said = run_and_kill(words, tmp_path, "out.jsonl", 100, how=signal.SIGINT)
    assert code == 130
    found = re.search(r'(\d+) inputs done; the same command with --resume goes on with "out.jsonl"', said)
    assert found is not None, said
    assert said.rstrip().endswith("interrupted")
    assert "Traceback" not in said
    assert numbers(tmp_path / "out.jsonl") == list(range(1, int(found[1]) + 1))
    assert (tmp_path / "out.jsonl").read_bytes().endswith(b"\n")
    assert run(words, tmp_path, "-o", "out.jsonl", "--resume").returncode == 3
    assert numbers(tmp_path / "out.jsonl") == list(range(1, COUNT + 1))


def test_ctrl_c_ends_a_run_that_waits_for_its_standard_input(words, tmp_path) -> None:
    argv = [word for word in words if word != "in.jsonl"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*argv, "-", "--format", "jsonl"], cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        process.stdin.write(b"20\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["answer"] == {"twice": 40}
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert b"Traceback" not in process.stderr.read()


def test_a_run_of_an_archive_is_known_again_wherever_it_lies(words, tmp_path) -> None:
    packed = subprocess.run(
        [WFCTL, "archive", tmp_path / "flow", "--export-path", tmp_path], capture_output=True, cwd=tmp_path
    )
    assert packed.returncode == 0, packed.stderr
    war = tmp_path / "flow.war"
    base = [str(WFCTL), "run", "in.jsonl", "--progress", "none", "-o", "out.jsonl"]
    assert run([*base, "-w", str(war)], tmp_path, "--limit", "3").returncode == 0
    moved = tmp_path / "elsewhere.war"
    war.rename(moved)
    done = run([*base, "-w", str(moved)], tmp_path, "--limit", "5", "--resume")
    assert done.returncode == 0, done.stderr
    assert numbers(tmp_path / "out.jsonl") == [1, 2, 3, 4, 5]
