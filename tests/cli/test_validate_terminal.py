"""What a person sees: the real command line on a real terminal of a given width."""

from itertools import pairwise
from pathlib import Path

import click
import pytest
from fakes.terminal import on_terminal

SPEC = "models:\n  m1: {url: m1.mar}\ndag:\n  pre: [m1, a_name_that_nobody_wrote_down_anywhere_at_all_in_this_folder]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workflow.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "handler.py").write_text("def pre(data, context):\n    return data\n", encoding="utf-8")
    (tmp_path / "m1.mar").touch()
    return tmp_path


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_findings_fit_the_terminal_and_are_coloured(folder: Path, columns: int) -> None:
    seen, _ = on_terminal(folder, "validate", columns=columns)
    assert "\x1b[31m\x1b[1merror[WF304]\x1b[0m" in seen
    lines = click.unstyle(seen).splitlines()
    frame = lines[: lines.index("")]
    assert any("^^^^" in line for line in frame)
    assert all(len(line) <= columns for line in frame if "_anywhere_" not in line or "|" in line)


def test_no_color_is_obeyed(folder: Path) -> None:
    seen, _ = on_terminal(folder, "validate", columns=80, env={"NO_COLOR": "1"})
    assert "error[WF304]: " in seen
    assert "\x1b" not in seen


def test_pages_are_set_in_type_on_a_terminal(folder: Path) -> None:
    seen, _ = on_terminal(folder, "rule", "WF301", columns=60)
    assert "\x1b[" in seen
    text = click.unstyle(seen)
    assert text.startswith("WF301 cyclic-edge (error)\n")
    assert "```" not in text
    assert all(len(line.rstrip()) <= 60 for line in text.splitlines())
    assert "\x1b[3" not in on_terminal(folder, "rule", "WF301", columns=60, env={"NO_COLOR": "1"})[0]


def test_examples_of_a_page_stand_without_rows_of_empty_lines(folder: Path) -> None:
    lines = [line.strip() for line in click.unstyle(on_terminal(folder, "rule", "WF304", columns=80)[0]).splitlines()]
    assert lines[lines.index("Bad") + 1 :][:2] == ["", "models:"]
    assert all(one or other for one, other in pairwise(lines))


def test_the_list_of_rules_fits_the_terminal(folder: Path) -> None:
    text = click.unstyle(on_terminal(folder, "rule", columns=70)[0])
    assert all(len(line) <= 70 for line in text.splitlines())
