"""Mermaid, Markdown, DOT and JSON, and the table of forms."""

import json
import random
import re
import time
from itertools import pairwise
from pathlib import PurePath

import pytest
from drawn import CIRCLE, drawing, graphs
from hypothesis import given, settings

from wfctl.render.formats import ENDINGS, Form, Paper, form_for, render
from wfctl.render.model import Drawing

SAMPLE = drawing(
    [("pre", "cnn"), ("cnn", "pre"), ("cnn", "clasify")],
    models=["cnn"],
    unknown=["clasify"],
    details={"cnn": "batch 8 · delay 5 ms"},
    faults={"clasify": "WF304 unknown-node", ("pre", "cnn"): CIRCLE, ("cnn", "pre"): CIRCLE},
)
HOSTILE = [
    'a"b',
    "it's",
    "<script>alert(1)</script>",
    "\x1b[31m",
    "x\ny",
    "&quot;",
    "\u202eabc",
    "\ud800",
    "```",
    "#quot;",
    "%%{init: {}}%%",
    "a]] --> b",
    "end",
    "back\\slash",
    "a|b",
]


def test_mermaid_has_a_shape_for_each_kind_and_marks_faults() -> None:
    assert render(SAMPLE, Form.MERMAID) == (
        "flowchart TB\n"
        "  accTitle: sample\n"
        '  n0(["pre"])\n'
        '  n1[["cnn<br/>batch 8 · delay 5 ms"]]\n'
        '  n2{{"#33; clasify<br/>WF304 unknown-node"}}\n'
        '  n0 -. "! WF301 cyclic-edge" .-> n1\n'
        '  n1 -. "! WF301 cyclic-edge" .-> n0\n'
        "  n1 --> n2\n"
        "  classDef fault stroke:#c22f2f,stroke-width:2px,stroke-dasharray:6 4\n"
        "  class n2 fault\n"
        "  linkStyle 0,1 stroke:#c22f2f\n"
    )


def test_markdown_is_mermaid_in_a_fence() -> None:
    text = render(SAMPLE, Form.MARKDOWN, Paper(direction="LR"))
    assert text == f"```mermaid\n{render(SAMPLE, Form.MERMAID, Paper(direction='LR'))}```\n"
    assert "flowchart LR" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_cannot_leave_a_mermaid_label(name: str) -> None:
    text = render(drawing([("a", name)], faults={name: name, ("a", name): name}), Form.MARKDOWN)
    lines = text.splitlines()
    assert lines[0] == "```mermaid"
    assert [number for number, line in enumerate(lines) if "```" in line] == [0, len(lines) - 1]
    label = r'"[^"<>`&%|\[\]{}\\]*(?:<br/>[^"<>`&%|\[\]{}\\]*)?"'
    assert re.fullmatch(rf"  n1\(\[{label}\]\)", lines[4])
    assert re.fullmatch(rf"  n0 -\. {label} \.-> n1", lines[5])


def test_dot_has_a_style_for_each_kind_and_marks_faults() -> None:
    text = render(SAMPLE, Form.DOT)
    assert text.startswith('digraph "sample" {\n  graph [rankdir=TB ')
    assert re.search(r'n1 \[label="cnn\\nbatch 8 · delay 5 ms" shape=box .*peripheries=2\]', text)
    assert re.search(r'n2 \[label="! clasify\\nWF304 unknown-node" shape=octagon', text)
    assert re.search(r'n0 -> n1 \[label="! WF301 cyclic-edge" style=dashed', text)
    assert "\n  n1 -> n2\n" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_cannot_leave_a_dot_string(name: str) -> None:
    text = render(drawing([("a", name)], faults={name: name, ("a", name): name}), Form.DOT)
    bare = re.sub(r'"(?:[^"\\\n]|\\.)*"', "S", text)
    assert re.search(r"\n  n1 \[label=S shape=box style=S fillcolor=S color=S color=S fontcolor=S penwidth=2\]\n", bare)
    assert re.search(r"\n  n0 -> n1 \[label=S style=dashed color=S fontcolor=S penwidth=2\]\n\}\n$", bare)


@given(graphs())
@settings(max_examples=50, deadline=None)
def test_json_holds_the_whole_drawing_with_levels_and_places(graph: Drawing) -> None:
    told = json.loads(render(graph, Form.JSON))
    assert [node["name"] for node in told["nodes"]] == [node.name for node in graph.nodes]
    assert [(edge["source"], edge["target"], edge["fault"]) for edge in told["edges"]] == [
        (edge.source, edge.target, edge.fault) for edge in graph.edges
    ]
    assert all(node["box"].keys() == {"x", "y", "width", "height"} for node in told["nodes"])


def test_json_levels_follow_the_edges() -> None:
    told = json.loads(render(drawing([("a", "b"), ("b", "c"), ("a", "c")]), Form.JSON))
    assert {node["name"]: node["level"] for node in told["nodes"]} == {"a": 0, "b": 1, "c": 2}
    assert (told["format"], told["title"], told["direction"]) == (1, "sample", "TB")


@pytest.mark.parametrize("name", HOSTILE)
def test_json_is_ascii_and_keeps_every_name(name: str) -> None:
    text = render(drawing([("a", name)]), Form.JSON)
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["nodes"][1]["name"] == name


def test_json_of_a_graph_beyond_drawing_has_no_places() -> None:
    told = json.loads(render(drawing([(f"n{number}", f"n{number + 1}") for number in range(3_100)]), Form.JSON))
    assert {node["box"] is None for node in told["nodes"]} == {True}
    assert told["nodes"][3_100]["level"] == 3_100


@pytest.mark.parametrize("form", Form)
def test_every_form_draws_every_direction_and_ends_its_last_line(form: Form) -> None:
    for direction in ("TB", "LR"):
        text = render(SAMPLE, form, Paper(direction=direction))
        assert text.endswith("\n")
        assert render(SAMPLE, form, Paper(direction=direction)) == text


def test_every_form_has_an_ending() -> None:
    assert set(ENDINGS.values()) == set(Form)
    assert form_for(PurePath("a/Dag.SVG")) is Form.SVG
    assert form_for(PurePath("dag.png")) is None
    assert form_for(PurePath("svg")) is None


@pytest.mark.parametrize("form", Form)
def test_ten_thousand_nodes_come_out_in_every_form(form: Form) -> None:
    edges = [(f"n{number // 3}", f"n{number}") for number in range(1, 10_000)]
    assert render(drawing(edges), form)


@pytest.mark.parametrize("form", Form)
def test_a_thousand_nodes_on_thirty_ranks_are_drawn_within_two_seconds(form: Form) -> None:
    chance = random.Random(7)
    ranks = [[f"n{rank}_{number}" for number in range(33)] for rank in range(30)]
    edges = [(chance.choice(above), name) for above, below in pairwise(ranks) for name in below]
    edges += [(chance.choice(above), chance.choice(below)) for above, below in pairwise(ranks) for _ in range(18)]
    begun = time.process_time()
    text = render(drawing(edges, alone=[name for rank in ranks for name in rank]), form, Paper(width=1_200))
    assert time.process_time() - begun < 2
    assert "not drawn" not in text
    assert all(name in text for name in ("n0_0", "n15_16", "n29_32"))
