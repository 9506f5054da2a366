"""Every command keeps its manners where files are no files, names are hostile and streams are closed or full."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from started import Cli

SPEC = "dag:\n  pre: [post]\n"
HANDLER = "def pre(data, context):\n    return data\n\n\ndef post(data, context):\n    return data\n"
COMMANDS = [["validate"], ["render"], ["archive", "--spec-file"], ["run", "-i", "a=b", "-w"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workflow.yaml").write_text(SPEC)
    (tmp_path / "handler.py").write_text(HANDLER)
    return tmp_path


def shell(words: str, folder: Path) -> tuple[int, str]:
    """Run a line of shell in which ``wfctl`` is ours; return its code and what it said."""
    line = f'wfctl() {{ "{sys.executable}" -m wfctl "$@"; }}; {words}'
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("words", COMMANDS)
def test_a_pipe_for_a_spec_or_a_handler_is_refused_without_waiting(cli: Cli, folder: Path, words):
    os.mkfifo(folder / "pipe")
    for done in (cli(*words, "pipe", timeout=20), cli(*words, "workflow.yaml", "--handler", "pipe", timeout=20)):
        assert done.code == 1
        assert '"pipe" is no plain file' in done.err


@pytest.mark.parametrize("words", [*COMMANDS, ["inspect"]])
@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000], ids=["name", "path"])
def test_a_name_that_is_too_long_for_the_disk_is_no_bug_of_ours(cli: Cli, folder: Path, words, name):
    done = cli(*words, name)
    assert done.code == 1
    assert "error[unreadable-input]" in done.err


def test_one_name_that_is_too_long_hides_no_other_workflow(cli: Cli, folder: Path):
    done = cli("validate", "a" * 300, "workflow.yaml")
    assert "workflow.yaml: ok" in done.err


def test_a_workflow_name_that_is_too_long_for_the_disk_is_refused(cli: Cli, folder: Path):
    done = cli("archive", "--workflow-name", "a" * 300)
    assert done.code == 1
    assert sorted(path.name for path in folder.iterdir()) == ["handler.py", "workflow.yaml"]


def test_a_workflow_name_may_be_as_long_as_the_disk_allows(cli: Cli, folder: Path):
    assert cli("archive", "--workflow-name", "a" * 251).code == 0


@pytest.mark.parametrize("words", [*COMMANDS, ["inspect"]])
def test_a_line_end_in_a_name_begins_no_line_of_its_own(cli: Cli, folder: Path, words):
    name = "a\n::error::injected.yaml"
    for done in (cli(*words, name), (folder / name).write_text(SPEC) and cli(*words, name)):
        assert not any(line.lstrip().startswith("::") for line in (done.out + done.err).splitlines())


def test_a_spec_whose_name_is_no_text_cannot_be_packed(cli: Cli, folder: Path):
    name = os.fsdecode(b"a\xff.yaml")
    (folder / name).write_text(SPEC)
    done = cli("archive", "--spec-file", name)
    assert done.code == 1
    assert "error[bad-archive]" in done.err


@pytest.mark.parametrize("words", ["validate", "render", "render --format svg", "archive -n", "rule WF301", "--help"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_bug_of_ours(folder: Path, words, closed):
    code, text = shell(f"wfctl {words} {closed}", folder)
    assert code == 0
    assert "Traceback" not in text


@pytest.mark.parametrize("words", ["validate -", "render -"])
def test_a_dash_with_standard_input_closed_is_an_error_that_says_so(folder: Path, words):
    code, text = shell(f"wfctl {words} <&-", folder)
    assert code == 1
    assert "standard input is closed" in text


@pytest.mark.parametrize("words", ["validate", "render", "rule WF301", "--help", "--version"])
def test_a_full_disk_behind_standard_output_is_the_systems_fault(folder: Path, words):
    code, text = shell(f"wfctl {words} >/dev/full", folder)
    assert code == 4
    assert "no space left on device" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("words", ["validate -", "render -"])
def test_a_handler_without_an_end_does_not_fill_the_memory(folder: Path, words):
    code, text = shell(f"ulimit -v 800000; wfctl {words} --handler /dev/zero <workflow.yaml", folder)
    assert code == 1
    assert "larger than" in text


def test_a_spec_written_by_another_command_is_read(folder: Path):
    code, text = shell("wfctl validate <(cat workflow.yaml) --handler handler.py", folder)
    assert code == 0, text


def test_a_field_that_is_no_text_arrives_as_it_was_given(cli: Cli, folder: Path):
    (folder / "handler.py").write_text(
        "def pre(data, context):\n    return None if data is None else [bytes(data[0]['a']).hex()]\n\n\n"
        "def post(data, context):\n    return None if data is None else [bytes(data[0]['body'])]\n"
    )
    done = cli("run", "-i", os.fsdecode(b"a=\xff\xfe"))
    assert (done.code, done.out) == (0, "fffe")


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_a_bulk_run_needs_no_stream_when_its_answers_go_to_a_file(folder: Path, closed):
    (folder / "in.jsonl").write_text("1\n2\n")
    (folder / "handler.py").write_text(HANDLER.replace("return data", "return data and [row['body'] for row in data]"))
    code, said = shell(f"wfctl run -w workflow.yaml in.jsonl -o out.jsonl {closed}", folder)
    assert (code, said) == (0, "")
    assert [line[:12] for line in (folder / "out.jsonl").read_text().splitlines()] == ['{"number": 1', '{"number": 2']
