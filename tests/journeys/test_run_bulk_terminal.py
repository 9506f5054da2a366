"""What a person sees of a bulk run: the real command on a real terminal."""

import fcntl
import json
import os
import pty
import re
import struct
import termios
from pathlib import Path

import click
import pytest
from fakes.terminal import on_terminal

from wfctl.bulk.progress import Progress
from wfctl.cli.bulk_display import LiveDisplay
from wfctl.engine.statistics import NodeStatistics

SPEC = "dag:\n  first: [seconds]\nwfctl:\n  functions:\n    seconds: {retry-attempts: 0}\n"
HANDLER = """
    import time

    def first(data, context):
        return data and [row["body"] for row in data]

    def seconds(data, context):
        for row in data or []:
            time.sleep(0.01)
            if int(row["body"]) == 5:
                print("a word of the handler", flush=True)
                raise ValueError("five")
        return data and [row["body"] for row in data]
"""


def left_on_screen(seen: str) -> list[str]:
    """Return the lines of the screen at the end: what was drawn over is gone."""
    screen: list[str] = []
    line = 0
    for piece in re.split(r"(\x1b\[\d+F|\x1b\[J|\n)", re.sub(r"\x1b\[\d*(?:;\d+)*m", "", seen)):
        if piece == "\n":
            line += 1
        elif piece.endswith("F") and piece.startswith("\x1b["):
            line -= int(piece[2:-1])
        elif piece == "\x1b[J":
            del screen[line:]
        elif piece:
            screen += [""] * (line + 1 - len(screen))
            screen[line] = piece.rpartition("\r")[2] or screen[line]
    return screen


@pytest.fixture
def folder(flow, tmp_path: Path) -> Path:
    flow(SPEC, HANDLER)
    (tmp_path / "in.jsonl").write_text("".join(f"{number}\n" for number in range(100)))
    return tmp_path


WORDS = ("-w", "flow", "in.jsonl", "-o", "out.jsonl")


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_the_table_fits_and_nothing_of_it_is_left(folder, columns) -> None:
    seen, code = on_terminal(folder, "run", *WORDS, columns=columns)
    assert code == 3
    frames = [click.unstyle(frame) for frame in seen.split("\x1b[J")]
    tables = [frame.splitlines() for frame in frames if "node " in frame]
    assert len(tables) > 3
    for bar, head, first, seconds, *_ in tables:
        assert all(len(line) < columns for line in (bar, head, first, seconds))
        assert first.startswith("first ")
        assert seconds.startswith("seconds ")
        assert head.split() == ["node", "done", "queue", "batch", "rate", "errors"][: len(head.split())]
    assert any("%)" in table[0] and "/s" in table[0] for table in tables)
    left = [line for line in left_on_screen(seen) if "loading ..." not in line and line.strip()]
    assert left == [
        "[seconds] a word of the handler",
        "100 lines in out.jsonl: 99 answered, 1 failed (out.errors.jsonl)",
    ]


def test_a_narrow_terminal_shows_every_number_but_the_size_of_batches(folder) -> None:
    seen, _ = on_terminal(folder, "run", *WORDS, columns=40)
    frames = [click.unstyle(frame).splitlines() for frame in seen.split("\x1b[J") if "node " in frame]
    shown = [line for frame in frames for line in frame[: frame.index(next(x for x in frame if x[:4] == "node")) + 3]]
    assert not [line for line in shown if len(line) >= 40 or "…" in line]
    heads = {tuple(line.split()) for frame in frames for line in frame if line.startswith("node ")}
    assert heads == {("node", "done", "queue", "rate", "errors")}
    assert any("failed" in line for frame in frames for line in frame[:2])


def test_a_table_on_a_terminal_that_was_made_narrower_is_drawn_over_whole() -> None:
    ours, theirs = pty.openpty()
    more = {"sent": 1, "starting": 0, "lost": 0, "least": 1, "most": 1, "batch_time_s": 0.0, "last_failure": None}
    node = NodeStatistics(node="n", queued=0, running=0, done=1, failed=0, retried=0, batches=1, worker_pids=(), **more)
    moment = Progress(elapsed_s=1, done=1, failed=0, done_before=0, total=2, is_estimate=False, nodes=(node,))
    with os.fdopen(theirs, "w") as stream:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        display = LiveDisplay(stream)
        display.update(moment)
        lines = click.unstyle(os.read(ours, 65536).decode()).removeprefix("\x1b[J").splitlines()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
        display.update(moment)
        again = os.read(ours, 65536).decode()
    os.close(ours)
    assert len(lines) == 3
    assert again.startswith(f"\x1b[{sum(-(-len(line) // 20) for line in lines)}F\x1b[J")


def test_colour_marks_the_node_that_failed_unless_nobody_wants_it(folder) -> None:
    seen, _ = on_terminal(folder, "run", *WORDS, columns=90)
    assert "\x1b[31mseconds " in seen
    plain, _ = on_terminal(folder, "run", *WORDS, "--overwrite", columns=90, env={"NO_COLOR": "1"})
    assert "\x1b[31m" not in plain
    assert "\x1b[32m" not in plain


def test_a_low_screen_shows_as_many_nodes_as_fit(folder) -> None:
    seen, _ = on_terminal(folder, "run", *WORDS, columns=80, rows=5)
    frames = [click.unstyle(frame).splitlines() for frame in seen.split("\x1b[J") if "node " in frame]
    assert all("and 1 more" in frame[3] for frame in frames)


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {}])
def test_where_nothing_can_be_drawn_over_there_are_plain_lines(folder, env) -> None:
    words = WORDS if env else (*WORDS, "--progress", "plain")
    seen, _ = on_terminal(folder, "run", *words, columns=80, env=env)
    lines = [line for line in click.unstyle(seen).splitlines() if " of about 100 " in line]
    assert lines
    assert re.fullmatch(r".*\d+ of about 100 \(\d+%\), [\d.]+/s, \d+:\d\d left, 1 failed.*", lines[-1])
    assert "\x1b[J" not in seen


def test_answers_on_the_terminal_are_not_drawn_over_and_harmless(flow, tmp_path) -> None:
    flow("dag:\n  only: []\n", "def only(data, context):\n    return data and ['\\u202e\\x9b2J' for _ in data]\n")
    (tmp_path / "in.jsonl").write_text("1\n2\n")
    seen, code = on_terminal(tmp_path, "run", "-w", "flow", "in.jsonl", columns=80)
    assert code == 0
    assert "\u202e" not in seen
    assert "\x1b[J" not in seen
    answers = [line for line in seen.splitlines() if line.startswith("{")]
    assert [json.loads(line)["number"] for line in answers] == [1, 2]
