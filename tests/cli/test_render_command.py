"""``wfctl render``, started the way a shell starts it."""

import json
import os
import re
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from fakes.terminal import on_terminal
from started import Cli

from wfctl.render.formats import ENDINGS

SPEC = """\
models:
  cnn: {url: cnn.mar, batch-size: 4}
  mlp: {url: mlp.mar}
dag:
  preprocess: [cnn, mlp]
  cnn: [vote]
  mlp: [vote]
"""
HANDLER = "def preprocess(data, context):\n    return data\n\n\ndef vote(data, context):\n    return data\n"
PICTURE = """\
               ╭────────────╮
               │ preprocess │
               ╰─────┬──────╯
            ╭────────┴─────────╮
            ▼                  ▼
┏━━━━━━━━━━━━━━━━━━━━━━━┓   ┏━━━━━┓
┃          cnn          ┃   ┃ mlp ┃
┃ batch 4 · delay 50 ms ┃   ┗━━┯━━┛
┗━━━━━━━━━━━┯━━━━━━━━━━━┛      │
            ╰────────┬─────────╯
                     ▼
                  ╭──────╮
                  │ vote │
                  ╰──────╯
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workflow.yaml").write_text(SPEC)
    (tmp_path / "handler.py").write_text(HANDLER)
    return tmp_path


@pytest.mark.parametrize("words", [(), (".",), ("workflow.yaml",)])
def test_a_sound_workflow_is_drawn_and_nothing_is_said(cli: Cli, folder: Path, words: tuple[str, ...]) -> None:
    done = cli("render", *words)
    assert (done.code, done.out, done.err) == (0, PICTURE, "")


def test_a_spec_on_standard_input_is_drawn(cli: Cli, folder: Path) -> None:
    done = cli("render", "-", stdin=SPEC.encode())
    assert (done.code, done.out) == (0, PICTURE)


def test_an_archive_is_drawn(cli: Cli, folder: Path) -> None:
    assert cli("archive", "--no-check").code == 0
    (war,) = folder.glob("*.war")
    (folder / "workflow.yaml").unlink()
    assert cli("render", war).out == PICTURE


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_ending_of_the_file_picks_the_form(cli: Cli, folder: Path, ending: str) -> None:
    done = cli("render", "-o", f"dag{ending}")
    assert (done.code, done.out, done.err) == (0, "", f"wrote dag{ending}\n")
    text = (folder / f"dag{ending}").read_text()
    begin = {".svg": "<svg ", ".md": "```mermaid\n", ".json": "{\n", ".txt": PICTURE}
    assert text.startswith(begin.get(ending, "digraph " if ending in {".dot", ".gv"} else "flowchart TB\n"))


def test_the_format_beats_the_ending(cli: Cli, folder: Path) -> None:
    assert cli("render", "-o", "dag.txt", "--format", "svg").code == 0
    assert ET.parse(folder / "dag.txt").getroot().tag.endswith("svg")


def test_a_dash_is_standard_output(cli: Cli, folder: Path) -> None:
    assert cli("render", "-o", "-").out == PICTURE
    assert not (folder / "-").exists()


def test_an_unknown_ending_is_a_usage_error_that_names_the_endings(cli: Cli, folder: Path) -> None:
    done = cli("render", "-o", "dag.png")
    assert done.code == 2
    assert all(ending in done.err for ending in ENDINGS)
    assert not (folder / "dag.png").exists()


def test_a_file_is_replaced_whole_and_keeps_its_rights(cli: Cli, folder: Path) -> None:
    target = folder / "dag.svg"
    target.write_text("old")
    target.chmod(0o640)
    assert cli("render", "-o", "dag.svg").code == 0
    assert target.read_text().startswith("<svg")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert {path.name for path in folder.iterdir()} == {"workflow.yaml", "handler.py", "dag.svg"}


def test_a_file_in_a_folder_that_is_not_there_is_refused(cli: Cli, folder: Path) -> None:
    done = cli("render", "-o", "nowhere/dag.svg")
    assert done.code == 1
    assert 'cannot write "nowhere/dag.svg"' in done.err


def test_direction_ascii_and_width_are_honoured(cli: Cli, folder: Path) -> None:
    assert cli("render", "--direction", "lr").out.splitlines()[1].startswith("                ")
    assert "▶" in cli("render", "--direction", "LR").out
    plain = cli("render", "--ascii").out
    assert plain.isascii()
    assert "| batch 4, delay 50 ms |" in plain
    assert max(map(len, cli("render", "--width", "24").out.splitlines())) <= 24


def test_a_terminal_without_box_characters_gets_ascii(cli: Cli, folder: Path) -> None:
    done = cli("render", env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert done.out == cli("render", "--ascii").out


def test_an_unsound_graph_is_drawn_with_its_faults_and_a_summary(cli: Cli, folder: Path) -> None:
    (folder / "workflow.yaml").write_text(SPEC + "  vote: [preprocess, nowhere]\n")
    done = cli("render")
    assert done.code == 0
    assert "! vote → preprocess: WF301 cyclic-edge\n" in done.out
    assert "! nowhere: WF304 unknown-node\n" in done.out
    assert done.err == "workflow.yaml: 2 errors; wfctl validate shows them\n"


@pytest.mark.parametrize("spec", ["dag: [", "models: {}\n", "dag: {}\n"])
def test_where_there_is_no_graph_the_findings_are_shown(cli: Cli, folder: Path, spec: str) -> None:
    (folder / "workflow.yaml").write_text(spec)
    done = cli("render", "-o", "dag.svg")
    assert (done.code, done.out) == (1, "")
    assert re.search(r"error\[WF\d+\]", done.err)
    assert not (folder / "dag.svg").exists()


def test_a_path_that_is_not_there_is_told(cli: Cli, folder: Path) -> None:
    done = cli("render", "worklow.yaml")
    assert done.code == 1
    assert 'did you mean "workflow.yaml"?' in done.err


def test_the_handler_can_be_named(cli: Cli, folder: Path) -> None:
    (folder / "handler.py").rename(folder / "functions.txt")
    done = cli("render", "--format", "json", "--handler", "functions.txt")
    assert {node["kind"] for node in json.loads(done.out)["nodes"]} == {"model", "function"}
    assert done.err == ""


def test_hostile_names_reach_no_terminal(cli: Cli, folder: Path) -> None:
    (folder / "workflow.yaml").write_text('dag:\n  "a\\e[31mb": ["c\\u202ed"]\n')
    for form in ("terminal", "svg", "mermaid", "dot", "json"):
        done = cli("render", "--format", form)
        assert done.code == 0
        assert all(char.isprintable() or char == "\n" for char in done.out + done.err)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal of its own")
@pytest.mark.parametrize(("env", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_and_width_are_the_terminals(folder: Path, env: dict[str, str], is_coloured: bool) -> None:
    text, code = on_terminal(folder, "render", columns=80, env=env)
    assert code == 0
    assert ("\x1b[" in text) is is_coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == PICTURE


def test_rendering_imports_neither_torch_nor_rich(folder: Path) -> None:
    script = (
        "import sys; from wfctl.cli.main import root; root.main(['render'], standalone_mode=False); "
        "print({'torch', 'rich', 'numpy'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, check=True, text=True)
    assert done.stderr == "set()\n"
