"""The SVG: well-formed, harmless, and true to its numbers."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest
from drawn import CIRCLE, drawing, graphs
from hypothesis import given, settings

from wfctl.render.model import Drawing
from wfctl.render.svg import render_svg, size_of
from wfctl.render.svg_style import DETAIL_COLUMN, NAME_COLUMN
from wfctl.render.text import columns

SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"-?[0-9.]+")
SAMPLE = drawing(
    [("pre", "cnn"), ("pre", "mlp"), ("cnn", "vote"), ("mlp", "vote"), ("vote", "clasify")],
    models=["cnn", "mlp"],
    unknown=["clasify"],
    details={"cnn": "batch 8 · delay 5 ms"},
    faults={"clasify": "WF304 unknown-node"},
)
HOSTILE = [
    'a"b',
    "it's",
    "<script>alert(1)</script>",
    "\x1b[31m",
    "x\ny",
    "&amp;",
    "]]>",
    "\u202eabc",
    "\ud800",
    "`#;%%{init}",
]


def groups(root: ET.Element, kind: str) -> list[ET.Element]:
    return [each for each in root.iter(f"{SVG}g") if kind in each.get("class", "").split()]


def frame(group: ET.Element) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of a node's frame."""
    shape = next(each for each in group if each.get("class") == "frame")
    if shape.tag == f"{SVG}rect":
        x, y, width, height = (float(shape.get(name, "")) for name in ("x", "y", "width", "height"))
        return (x, y, x + width, y + height)
    x, y, inner, cut, _, deep = map(float, NUMBER.findall(shape.get("d", ""))[:6])
    return (x - cut, y, x + inner + cut, y + deep + 2 * cut)


def test_the_file_says_what_it_shows() -> None:
    root = ET.fromstring(render_svg(SAMPLE))
    assert root.get("role") == "img"
    named = {each.get("id"): each.text for each in root if each.get("id")}
    assert root.get("aria-labelledby", "").split() == list(named)
    assert named["wf-title"] == "sample"
    assert named["wf-desc"] == (
        "5 nodes, 5 edges, 1 marked as faulty: pre to cnn, pre to mlp, cnn to vote, mlp to vote, vote to clasify"
    )


def test_nothing_is_loaded_and_nothing_runs() -> None:
    text = render_svg(SAMPLE)
    tags = {each.tag.removeprefix(SVG) for each in ET.fromstring(text).iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "g", "path", "text", "circle"}
    assert not re.search(r"href|url\(|@import|http(?!://www\.w3\.org/2000/svg)", text)


def test_both_schemes_are_there() -> None:
    style = ET.fromstring(render_svg(SAMPLE)).findtext(f"{SVG}style", "")
    light, _, dark = style.partition("@media (prefers-color-scheme:dark)")
    coloured = re.compile(r"\.([a-z .]+)\{[^}]*(?:fill|stroke):#")
    assert set(coloured.findall(light)) == set(coloured.findall(dark)) != set()


def test_kinds_differ_in_shape() -> None:
    root = ET.fromstring(render_svg(SAMPLE))
    forms = {
        kind: [(each.tag.removeprefix(SVG), each.get("class"), each.get("rx")) for each in groups(root, kind)[0]][1:3]
        for kind in ("model", "function", "unknown")
    }
    assert forms["model"] == [("rect", "frame", "2"), ("rect", "stripe", None)]
    assert forms["function"] == [("rect", "frame", "14"), ("text", "name", None)]
    assert forms["unknown"] == [("path", "frame", None), ("text", "name", None)]


def test_settings_and_faults_stand_in_the_box() -> None:
    root = ET.fromstring(render_svg(SAMPLE))
    texts = {(each.get("class"), each.text) for each in root.iter(f"{SVG}text")}
    assert {("detail", "batch 8 · delay 5 ms"), ("reason", "WF304 unknown-node"), ("sign", "!")} <= texts


@given(graphs())
@settings(max_examples=100, deadline=None)
@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_frames_are_apart_and_on_the_paper(direction: str, graph: Drawing) -> None:
    root = ET.fromstring(render_svg(graph, direction=direction))
    frames = [frame(group) for group in groups(root, "node")]
    assert len(frames) == len(graph.nodes)
    for a, b in combinations(frames, 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
    wide, high = float(root.get("width", "")), float(root.get("height", ""))
    assert all(0 <= left < right <= wide - 48 and 0 <= top < bottom <= high - 48 for left, top, right, bottom in frames)


@given(graphs())
@settings(max_examples=100, deadline=None)
@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_arrows_end_exactly_on_the_frame_of_their_target(direction: str, graph: Drawing) -> None:
    root = ET.fromstring(render_svg(graph, direction=direction))
    frames = dict(zip([node.name for node in graph.nodes], map(frame, groups(root, "node")), strict=True))
    links = groups(root, "link")
    assert len(links) == len(graph.edges)
    for edge, link in zip(graph.edges, links, strict=True):
        line, head = (next(each for each in link if each.get("class") == kind) for kind in ("edge", "head"))
        x, y = map(float, NUMBER.findall(head.get("d", ""))[:2])
        assert on_border((x, y), frames[edge.target])
        x, y = map(float, NUMBER.findall(line.get("d", ""))[:2])
        assert on_border((x, y), frames[edge.source])


def on_border(point: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    (x, y), (left, top, right, bottom) = point, box
    is_on_side = x in {left, right} and top < y < bottom
    return is_on_side or (y in {top, bottom} and left < x < right)


def test_text_fits_into_its_box() -> None:
    for node in SAMPLE.nodes:
        width, height = size_of(node)
        assert columns(node.name) * NAME_COLUMN + 30 <= width
        assert columns(node.detail) * DETAIL_COLUMN + 30 <= width
        assert height >= 42


def test_long_names_are_cut_in_the_box_and_whole_in_the_title() -> None:
    name = "n" * 300
    root = ET.fromstring(render_svg(drawing([("a", name)])))
    assert "n" * 39 + "…" in {each.text for each in root.iter(f"{SVG}text")}
    assert any(name in (each.text or "") for each in root.iter(f"{SVG}title"))
    assert size_of(drawing([], alone=[name]).nodes[0])[0] < 400


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_text(name: str) -> None:
    text = render_svg(drawing([("a", name), (name, "b")], faults={name: f"WF308 {name}", ("a", name): CIRCLE}))
    text.encode()
    root = ET.fromstring(text)
    tags = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert "script" not in tags
    assert all(char.isprintable() or char == "\n" for char in text)
    shown = name if name.isprintable() else name.encode("unicode_escape").decode()
    assert shown in {each.text for each in root.iter(f"{SVG}text")}


def test_a_graph_beyond_drawing_is_a_list_with_the_reason() -> None:
    big = drawing([(f"n{number}", f"n{number + 1}") for number in range(3_100)])
    texts = [each.text for each in ET.fromstring(render_svg(big)).iter(f"{SVG}text")]
    assert texts[0] == "not drawn: 3101 nodes are too many for a picture"
    assert "  n7 (function) → n8" in texts
    assert texts[-1] is not None
    assert texts[-1].endswith("lines more")
