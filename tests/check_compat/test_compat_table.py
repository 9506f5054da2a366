"""The table on a terminal: sentences are set below each other, colours say how bad it is."""

from pathlib import Path

import click
from judging import judged, pack_model

from wfctl.cli.compat_table import lines

HANDLER = "def handle(data, context):\n    context.set_response_status(404)\n    return data\n"


def test_on_a_narrow_terminal_sentences_are_wrapped_in_their_column(tmp_path: Path) -> None:
    found = judged(pack_model(tmp_path / "m1.mar", {"handler.py": HANDLER}))
    shown = [click.unstyle(line) for line in lines([found], 80)]
    assert shown[1:] == [
        "  -  WF924  handler.py:2  TorchServe ignores a status inside a workflow and",
        "                          hands the body on as data; here a status of 400 or",
        "                          more fails the node, and the client gets it",
        "                          -> nothing to do",
        "1 archive: 0 run as they are, 1 differs, 0 are not supported",
    ]
    assert max(map(len, shown[1:])) <= 80


def test_a_verdict_and_a_code_have_their_colours(tmp_path: Path) -> None:
    found = judged(pack_model(tmp_path / "m1.mar", {"handler.py": HANDLER}))
    first, row, *_ = lines([found], None)
    assert click.style("runs, differs", fg="yellow", bold=True) in first
    assert click.style("WF924", fg="cyan") in row
