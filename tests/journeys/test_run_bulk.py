"""``wfctl run`` on many inputs: by the real command, with worker processes."""

import json
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest

WFCTL = Path(sys.executable).parent / "wfctl"

ONE = "dag:\n  only: []\n"
ECHO = """
    def only(data, context):
        return data and [answer(row["body"]) for row in data]

    def answer(body):
        if isinstance(body, dict) and body.get("fail"):
            raise ValueError("told to")
        return {"kind": type(body).__name__, "is": body if not isinstance(body, bytearray) else len(body)}
"""


def told(text):
    return [json.loads(line) for line in text.splitlines()]


def write_lines(path, values):
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values))


@pytest.fixture
def echo(flow):
    return flow(ONE, ECHO)


def test_lines_are_answered_in_order_with_their_numbers(echo, wfctl, tmp_path) -> None:
    write_lines(tmp_path / "in.jsonl", [{"i": n} for n in range(300)])
    done = wfctl("run", "-w", echo, "in.jsonl")
    assert done.returncode == 0, done.stderr.decode()
    assert told(done.stdout) == [
        {"number": n + 1, "status": 200, "answer": {"kind": "dict", "is": {"i": n}}} for n in range(300)
    ]
    assert "300 inputs: all answered" in done.stderr.decode()


def test_a_failed_input_is_kept_with_its_reason_and_once_more_beside(echo, wfctl, tmp_path) -> None:
    (tmp_path / "in.jsonl").write_text('1\n{"fail": true}\n3\n{broken\n5\n')
    done = wfctl("run", "-w", echo, "in.jsonl", "-o", "out.jsonl")
    assert (done.returncode, done.stdout) == (3, b"")
    lines = told((tmp_path / "out.jsonl").read_bytes())
    assert [(line["number"], line["status"] < 400) for line in lines] == [
        (1, True),
        (2, False),
        (3, True),
        (4, False),
        (5, True),
    ]
    assert lines[1]["error"]["node"] == "only"
    assert lines[1]["error"]["traceback"].rstrip().endswith("ValueError: told to")
    assert lines[3]["error"]["message"].startswith("line 4 is not JSON: ")
    assert told((tmp_path / "out.errors.jsonl").read_bytes()) == [lines[1], lines[3]]
    assert "5 lines in out.jsonl: 3 answered, 2 failed (out.errors.jsonl)" in done.stderr.decode()


def test_what_is_no_json_fails_alone_in_its_batch_and_no_handler_sees_it(flow, wfctl, tmp_path) -> None:
    spec = "dag:\n  one: [both]\n  two: [both]\nwfctl:\n  entries: many\n  functions:\n    one: {batch-size: 8, max-batch-delay: 50}\n"
    handler = """
        def one(data, context):
            for row in data or ():
                print(type(row["body"]).__name__)
            return [b"1" for _ in data or ()]

        two = one

        def both(data, context):
            return [b"ok" for _ in data or ()]
    """
    folder = flow(spec, handler)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.json").write_text("{")
    (tmp_path / "in.jsonl").write_bytes(b'1\n{"a":\n\xff\n"x" 2\n' + b"[" * 5000 + b"]" * 5000 + b"\n[NaN]\n")
    done = wfctl("run", "-w", folder, "in.jsonl", "in", "-o", "out.jsonl")
    assert done.returncode == 3, done.stderr.decode()
    lines = told((tmp_path / "out.jsonl").read_bytes())
    faults = {line["number"]: line["error"] for line in lines if "error" in line}
    assert [line["status"] for line in lines] == [200, 400, 400, 400, 200, 200, 400]
    assert {error["code"] for error in faults.values()} == {"bad-input"}
    assert faults[2]["message"] == "line 2 is not JSON: Expecting value: line 1 column 6 (char 5)"
    assert faults[3]["message"] == "line 3 is not JSON: byte 1 is not UTF-8"
    assert faults[4]["message"] == "line 4 is not JSON: Extra data: line 1 column 5 (char 4)"
    assert faults[7]["message"].startswith('"in/b.json" is not JSON: Expecting property name')
    seen = [line.rpartition(" ")[2] for line in done.stderr.decode().splitlines() if line.endswith(("int", "list"))]
    assert sorted(seen) == ["int", "int", "list", "list"]
    assert done.stderr.decode().count("bytearray") == 2, "nested deeper than is decoded: the handler's to refuse"


def test_what_is_no_json_is_told_so_also_where_a_neighbour_takes_the_worker_along(flow, wfctl, tmp_path) -> None:
    spec = (
        "dag:\n  only: []\nwfctl:\n  nodes: {only: {isolate: false}}\n"
        "  functions:\n    only: {batch-size: 8, max-batch-delay: 200, retry-attempts: 0}\n"
    )
    handler = """
        import os

        def only(data, context):
            if any(row["body"] == "die" for row in data or ()):
                os._exit(3)
            return data and [b"1" for _ in data]
    """
    (tmp_path / "in.jsonl").write_text('"die"\n' + "{\n" * 15)
    done = wfctl("run", "-w", flow(spec, handler), "in.jsonl", "-o", "out.jsonl")
    assert done.returncode == 3, done.stderr.decode()
    died, *bad = (line["error"]["message"] for line in told((tmp_path / "out.jsonl").read_bytes()))
    assert "the worker died" in died
    assert len(bad) == 15
    assert all("is not JSON" in message for message in bad)


def test_rows_elements_and_files_are_inputs_too(echo, wfctl, tmp_path) -> None:
    (tmp_path / "t.csv").write_text("name,age\nbo,3\n")
    (tmp_path / "array.json").write_text('[1, {"a": 2}]')
    (tmp_path / "a.txt").write_text("words")
    rows = told(wfctl("run", "-w", echo, "t.csv").stdout)
    assert rows[0]["answer"]["is"] == {"name": "bo", "age": "3"}
    elements = told(wfctl("run", "-w", echo, "--each", "array.json").stdout)
    assert [line["answer"]["is"] for line in elements] == [1, {"a": 2}]
    many = told(wfctl("run", "-w", echo, "a.txt", "array.json", "t.csv").stdout)
    assert [line["input"] for line in many] == ["a.txt", "array.json", "t.csv:2"]
    assert [line["answer"]["kind"] for line in many] == ["str", "list", "dict"]


@pytest.mark.parametrize("word", ["pictures", "pictures/**", "pictures/*.bin"])
def test_a_folder_and_a_pattern_that_no_shell_expanded_are_read(echo, wfctl, tmp_path, word) -> None:
    (tmp_path / "pictures").mkdir()
    for name in ("b.bin", "a.bin"):
        (tmp_path / "pictures" / name).write_bytes(b"\xff" * len(name))
    lines = told(wfctl("run", "-w", echo, word).stdout)
    assert [line["input"] for line in lines] == ["pictures/a.bin", "pictures/b.bin"]
    assert {line["answer"]["kind"] for line in lines} == {"bytearray"}


def test_answers_go_to_a_folder_one_file_for_each_input(flow, wfctl, tmp_path) -> None:
    handler = """
        def only(data, context):
            return data and [answer(row["body"]) for row in data]

        def answer(body):
            if body == "bad":
                raise ValueError("no good")
            return bytes([255]) if body == "bytes" else body
    """
    folder = flow(ONE, handler)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, text in {"a.txt": "words", "b.txt": "bytes", "deep/c.txt": "bad"}.items():
        (tmp_path / "in" / name).write_text(text)
    done = wfctl("run", "-w", folder, "in", "-o", "out/")
    assert done.returncode == 3, done.stderr.decode()
    files = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {"a.txt.txt", "b.txt.bin", "deep/c.txt.error.json", "errors.jsonl", ".wfctl-run.json"}
    assert (tmp_path / "out" / "b.txt.bin").read_bytes() == b"\xff"
    assert json.loads((tmp_path / "out" / "deep" / "c.txt.error.json").read_bytes())["status"] == 503
    again = wfctl("run", "-w", folder, "in", "-o", "out")
    assert again.returncode == 1
    assert "--resume continues it" in again.stderr.decode()


def test_bytes_are_answered_in_base64(flow, wfctl, tmp_path) -> None:
    folder = flow(ONE, "def only(data, context):\n    return data and [bytes([0, 255]) for _ in data]\n")
    write_lines(tmp_path / "in.jsonl", [1])
    (line,) = told(wfctl("run", "-w", folder, "in.jsonl").stdout)
    assert b64decode(line["answer_b64"]) == b"\x00\xff"


def test_standard_input_is_a_stream_whose_answers_leave_as_they_are_done(echo, tmp_path) -> None:
    pipe = subprocess.PIPE
    argv = [WFCTL, "run", "-w", echo, "--format", "jsonl", "--progress", "none", "-"]
    with subprocess.Popen(argv, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as process:
        for number in (1, 2, 3):
            process.stdin.write(b"%d\n" % number)
            # The next line is written only when this one is answered.
            assert json.loads(process.stdout.readline())["answer"]["is"] == number
        rest, complaint = process.communicate(b"4", timeout=60)
    assert (json.loads(rest)["number"], process.returncode, complaint) == (4, 0, b"")


def test_one_file_is_a_bulk_run_if_the_output_says_so(echo, wfctl, tmp_path) -> None:
    (tmp_path / "in.json").write_text("[1]")
    assert json.loads(wfctl("run", "-w", echo, "in.json").stdout) == {"kind": "list", "is": [1]}
    assert wfctl("run", "-w", echo, "in.json", "-o", "out.jsonl").returncode == 0
    (line,) = told((tmp_path / "out.jsonl").read_bytes())
    assert (line["number"], line["input"]) == (1, "in.json")
    wfctl("run", "-w", echo, "-", "-o", "stream.jsonl", stdin=b"1\n2\n")
    assert [line["answer"]["is"] for line in told((tmp_path / "stream.jsonl").read_bytes())] == [1, 2]


def test_a_records_file_can_be_one_input(echo, wfctl, tmp_path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    for options in (["--format", "whole"], ["--content-type", "text/csv"]):
        assert json.loads(wfctl("run", "-w", echo, *options, "t.csv").stdout) == {"kind": "str", "is": "a,b\n1,2\n"}


def test_on_error_stop_ends_with_the_first_failure_in_order(echo, wfctl, tmp_path) -> None:
    write_lines(tmp_path / "in.jsonl", [{"i": n, "fail": n in {40, 60, 61}} for n in range(2000)])
    done = wfctl("run", "-w", echo, "in.jsonl", "-o", "out.jsonl", "--on-error", "stop")
    assert done.returncode == 3
    assert "stopped after 1 failure; the same command with --resume goes on" in done.stderr.decode()
    lines = told((tmp_path / "out.jsonl").read_bytes())
    assert [line["number"] for line in lines] == list(range(1, 42))
    assert [line["number"] for line in lines if line["status"] >= 400] == [41]
    on = wfctl("run", "-w", echo, "in.jsonl", "-o", "out.jsonl", "--on-error", "keep", "--max-errors", "2", "--resume")
    assert on.returncode == 3
    assert [line["number"] for line in told((tmp_path / "out.jsonl").read_bytes())] == list(range(1, 63))


def test_a_limit_is_a_first_look_that_the_whole_run_goes_on_from(echo, wfctl, tmp_path) -> None:
    write_lines(tmp_path / "in.jsonl", range(50))
    assert wfctl("run", "-w", echo, "in.jsonl", "-o", "out.jsonl", "--limit", "5").returncode == 0
    assert len(told((tmp_path / "out.jsonl").read_bytes())) == 5
    assert wfctl("run", "-w", echo, "in.jsonl", "-o", "out.jsonl", "--resume").returncode == 0
    assert [line["number"] for line in told((tmp_path / "out.jsonl").read_bytes())] == list(range(1, 51))


def test_a_dry_run_says_what_would_run_and_starts_nothing(flow, wfctl, tmp_path) -> None:
    folder = flow(ONE, 'from pathlib import Path\nPath("/nosuch/place").touch()\ndef only(data, context): ...\n')
    write_lines(tmp_path / "in.jsonl", [*range(9), {"a": 1}])
    done = wfctl("run", "-w", folder, "in.jsonl", "-o", "out.jsonl", "--dry-run", "--limit", "7", "--window", "3,1M")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().splitlines() == [
        "inputs    7 inputs (1 file, 27 B)",
        "workflow  flow: only",
        "output    out.jsonl, new",
        "window    3 inputs at work, 1.0 MB in memory",
        "on error  keep",
    ]
    assert not (tmp_path / "out.jsonl").exists()


def test_what_is_slow_does_not_run_out_of_time_in_the_queue(flow, wfctl, tmp_path) -> None:
    spec = "dag:\n  quick: [slow]\nwfctl:\n  functions:\n    slow: {timeout-ms: 700, retry-attempts: 0}\n"
    handler = """
        import time

        def quick(data, context):
            return data and [row["body"] for row in data]

        def slow(data, context):
            if data:
                time.sleep(0.1)
            return data and ["done" for row in data]
    """
    write_lines(tmp_path / "in.jsonl", range(25))
    done = wfctl("run", "-w", flow(spec, handler), "in.jsonl")
    assert done.returncode == 0, done.stdout.decode()
    assert len(told(done.stdout)) == 25


def test_inline_runs_take_many_inputs_too(flow, wfctl, tmp_path) -> None:
    handler = "def only(data, context):\n    print('seen', flush=True)\n    return data and [1 for _ in data]\n"
    write_lines(tmp_path / "in.jsonl", range(20))
    done = wfctl("run", "--inline", "-w", flow(ONE, handler), "in.jsonl")
    assert [line["answer"] for line in told(done.stdout)] == [1] * 20
    assert "[only] seen" in done.stderr.decode()


def test_progress_is_told_as_json_lines(echo, wfctl, tmp_path) -> None:
    write_lines(tmp_path / "in.jsonl", range(100))
    done = wfctl("run", "-w", echo, "in.jsonl", "-o", "out.jsonl", "--progress", "json")
    *_, last = told(done.stderr)
    assert (last["event"], last["done"], last["failed"], last["total"]) == ("end", 100, 0, 100)
    assert [(node["node"], node["done"], node["errors"]) for node in last["nodes"]] == [("only", 100, 0)]


def test_verbose_shows_what_each_node_did(echo, wfctl, tmp_path) -> None:
    write_lines(tmp_path / "in.jsonl", range(10))
    said = wfctl("run", "-v", "-w", echo, "in.jsonl", "-o", "out.jsonl").stderr.decode().splitlines()
    assert "only  10    0       10       1.0" in said


def test_the_output_among_the_inputs_is_left_out(echo, wfctl, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    write_lines(tmp_path / "in" / "a.jsonl", [1, {"fail": 1}])
    write_lines(tmp_path / "in" / "b.jsonl", [2])
    words = ("run", "-w", echo, "in", "-o", "in/out.jsonl")
    assert wfctl(*words).returncode == 3
    assert wfctl(*words, "--resume").returncode == 3
    named = ("run", "-w", echo, *sorted((tmp_path / "in").glob("*.jsonl")), "-o", tmp_path / "in" / "new.jsonl")
    assert wfctl(*named).returncode == 3
    assert len(told((tmp_path / "in" / "out.jsonl").read_bytes())) == 3


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["nosuch.jsonl"], 1, '"nosuch.jsonl" cannot be read: no such file'),
        (["*.png"], 1, 'no file matches "*.png"'),
        (["in.jsonl", "nosuch"], 1, '"nosuch" cannot be read'),
        (["in.jsonl", "flow"], 2, "name it with -w"),
        (["in.jsonl", "-o", "out.txt"], 2, "should end in .jsonl"),
        (["in.jsonl", "-o", "nosuch/out.jsonl"], 1, 'there is no folder "nosuch"'),
        (["in.jsonl", "-o", "taken.jsonl"], 1, "--overwrite starts anew"),
        (["in.jsonl", "--resume"], 1, "needs an output that stays"),
        (["-", "--resume", "-o", "out.jsonl"], 1, "read only once"),
        (["-", "-", "-o", "out.jsonl"], 2, "can be read once"),
        (["in.jsonl", "--each", "--format", "csv"], 2, "either --each or --format"),
        (["in.jsonl", "--format", "jsonl", "--content-type", "text/plain"], 2, "records are JSON"),
        (["in.jsonl", "--on-error", "stop", "--max-errors", "3"], 2, "either --on-error stop or --max-errors"),
        (["in.jsonl", "-o", "out.jsonl", "--resume", "--overwrite"], 2, "either --resume or --overwrite"),
        (["one.json", "--limit", "3"], 2, "belongs to a run on many inputs"),
        (["one.json", "--resume"], 2, "--resume belongs to a run on many inputs"),
        (["in.jsonl", "--window", "many"], 2, "256, 64M, or 256,64M"),
        (["in.jsonl", "--window", "0"], 2, "256, 64M, or 256,64M"),
        (["in.jsonl", "-i", "a=b"], 2, "either INPUT or -i fields"),
        (["-i", "a=b", "--dry-run"], 2, "--dry-run belongs to a run on many inputs"),
        (["-i", "a=b", "--each"], 2, "belong to INPUT, not to -i fields"),
        (["one.json", "in.jsonl", "-i", "a=b"], 2, "either INPUT or -i fields"),
        (["one.json", "--each"], 1, "no JSON array"),
        (["empty.csv"], 1, "has no header row"),
        (["/dev/zero", "--format", "jsonl"], 1, "which has no end"),
    ],
)
def test_wrong_words_are_a_clear_error_and_nothing_runs(echo, wfctl, tmp_path, words, code, complaint) -> None:
    write_lines(tmp_path / "in.jsonl", [1])
    (tmp_path / "one.json").write_text('{"a": 1}')
    (tmp_path / "taken.jsonl").write_text("mine\n")
    (tmp_path / "empty.csv").touch()
    done = wfctl("run", "-w", echo, *words)
    assert (done.returncode, done.stdout) == (code, b""), done.stderr.decode()
    assert complaint in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert (tmp_path / "taken.jsonl").read_text() == "mine\n"
    assert not (tmp_path / "out.jsonl").exists()


def test_an_empty_file_is_a_run_on_nothing(echo, wfctl, tmp_path) -> None:
    (tmp_path / "in.jsonl").touch()
    done = wfctl("run", "-w", echo, "in.jsonl", "-o", "out.jsonl")
    assert (done.returncode, (tmp_path / "out.jsonl").read_bytes()) == (0, b"")
    assert "0 lines in out.jsonl: nothing to answer" in done.stderr.decode()


def test_a_reader_that_leaves_is_no_error(echo, tmp_path) -> None:
    write_lines(tmp_path / "in.jsonl", ["x" * 1000] * 5000)
    process = subprocess.Popen(
        [WFCTL, "run", "-w", echo, "in.jsonl"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(10)
    process.stdout.close()
    complaint = process.stderr.read().decode()
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in complaint
    process.stderr.close()


def test_a_full_disk_ends_the_run_with_the_reason(echo, tmp_path) -> None:
    write_lines(tmp_path / "in.jsonl", ["x" * 1000] * 50)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [WFCTL, "run", "-w", echo, "in.jsonl"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert done.returncode == 4
    assert b'"standard output" cannot be written: no space left on device' in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_handler_that_dies_fails_its_own_inputs(flow, wfctl, tmp_path) -> None:
    handler = """

        def only(data, context):
            if data and data[0]["body"] == 3:
                os._exit(1)
            return data and [row["body"] for row in data]
    """
    write_lines(tmp_path / "in.jsonl", range(1, 7))
    done = wfctl("run", "-w", flow(ONE, handler), "in.jsonl")
    lines = told(done.stdout)
    assert [line["number"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["number"] for line in lines if line["status"] >= 400] == [3]
    assert done.returncode == 3


def test_memory_does_not_grow_with_the_number_of_inputs(echo, tmp_path) -> None:
    def peak_kb(count: int) -> int:
        write_lines(tmp_path / "in.jsonl", ({"i": n, "text": "x" * 400} for n in range(count)))
        # Not by getrusage, which counts what the tests themselves had when they forked.
        program = (
            "import sys; sys.argv[0] = 'wfctl'\nfrom wfctl.cli.main import main\ntry:\n    main()\nfinally:\n"
            "    status = open('/proc/self/status').read()\n"
            "    print(status.partition('VmHWM:')[2].split()[0], file=sys.stderr)\n"
        )
        words = ["run", "-w", str(echo), "in.jsonl", "-o", "out.jsonl", "--overwrite", "--progress", "none"]
        argv = [sys.executable, "-c", program, *words]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stderr
        return int(done.stderr.splitlines()[-1])

    few, many = peak_kb(3_000), peak_kb(30_000)
    # The inputs are 12 MB more.
    assert many - few < 4_000
