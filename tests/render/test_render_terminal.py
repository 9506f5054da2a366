"""The terminal drawing: exact text, and read back line by line."""

import re

import pytest
from drawn import CIRCLE, Reader, drawing, graphs
from hypothesis import given, settings

from wfctl.render.model import Drawing
from wfctl.render.terminal import render_terminal
from wfctl.render.text import columns

CHAIN = drawing([("pre", "resnet"), ("resnet", "post")], models=["resnet"])
ENSEMBLE = drawing(
    [("preprocess", "cnn"), ("preprocess", "mlp"), ("cnn", "vote"), ("mlp", "vote")], models=["cnn", "mlp"]
)
FAN = drawing(
    [("a", f"m{number}") for number in range(5)] + [(f"m{number}", "z") for number in range(5)],
    models=[f"m{number}" for number in range(5)],
)
LONG = drawing([("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("a", "c")], models=["b"])
LEAVES = drawing([("a", "b"), ("a", "c"), ("c", "d")], models=["b", "d"])
CYCLE = drawing(
    [("in", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "out")],
    models=["b"],
    faults=dict.fromkeys([("a", "b"), ("b", "c"), ("c", "a")], CIRCLE),
)
LOOP = drawing([("a", "b"), ("b", "b")], models=["b"], faults={("b", "b"): "WF302 self-loop"})
UNKNOWN = drawing([("a", "clasify")], unknown=["clasify"], faults={"clasify": "WF304 unknown-node"})
WIDE = drawing([("前処理", "モデル"), ("前処理", "b"), ("モデル", "投票"), ("b", "投票")], models=["モデル"])


def above(text: str) -> str:
    """Put the picture on lines of its own, so that it stands in the test as it is."""
    return f"\n{text}"


def test_a_chain_runs_straight() -> None:
    assert (
        above(render_terminal(CHAIN))
        == """
 ╭─────╮
 │ pre │
 ╰──┬──╯
    │
    ▼
┏━━━━━━━━┓
┃ resnet ┃
┗━━━┯━━━━┛
    │
    ▼
 ╭──────╮
 │ post │
 ╰──────╯
"""
    )


def test_a_chain_runs_straight_from_left_to_right() -> None:
    assert (
        above(render_terminal(CHAIN, direction="LR"))
        == """
╭─────╮     ┏━━━━━━━━┓     ╭──────╮
│ pre ├────▶┃ resnet ┠────▶│ post │
╰─────╯     ┗━━━━━━━━┛     ╰──────╯
"""
    )


def test_branches_part_and_meet() -> None:
    assert (
        above(render_terminal(ENSEMBLE))
        == """
  ╭────────────╮
  │ preprocess │
  ╰─────┬──────╯
   ╭────┴────╮
   ▼         ▼
┏━━━━━┓   ┏━━━━━┓
┃ cnn ┃   ┃ mlp ┃
┗━━┯━━┛   ┗━━┯━━┛
   ╰────┬────╯
        ▼
     ╭──────╮
     │ vote │
     ╰──────╯
"""
    )


def test_branches_part_and_meet_from_left_to_right() -> None:
    assert (
        above(render_terminal(ENSEMBLE, direction="LR"))
        == """
                   ┏━━━━━┓
                ╭─▶┃ cnn ┠──╮
╭────────────╮  │  ┗━━━━━┛  │  ╭──────╮
│ preprocess ├──┤           ├─▶│ vote │
╰────────────╯  │  ┏━━━━━┓  │  ╰──────╯
                ╰─▶┃ mlp ┠──╯
                   ┗━━━━━┛
"""
    )


def test_five_branches_share_one_line() -> None:
    assert (
        above(render_terminal(FAN))
        == """
                  ╭───╮
                  │ a │
                  ╰─┬─╯
  ╭────────┬────────┼────────┬────────╮
  ▼        ▼        ▼        ▼        ▼
┏━━━━┓   ┏━━━━┓   ┏━━━━┓   ┏━━━━┓   ┏━━━━┓
┃ m0 ┃   ┃ m1 ┃   ┃ m2 ┃   ┃ m3 ┃   ┃ m4 ┃
┗━┯━━┛   ┗━┯━━┛   ┗━┯━━┛   ┗━┯━━┛   ┗━┯━━┛
  ╰────────┴────────┼────────┴────────╯
                    ▼
                  ╭───╮
                  │ z │
                  ╰───╯
"""
    )


def test_long_edges_pass_beside_the_boxes() -> None:
    assert (
        above(render_terminal(LONG))
        == """
      ╭───╮
      │ a │
      ╰─┬─╯
    ╭───┴───╮
    ▼       │
  ┏━━━┓     │
  ┃ b ┃     │
  ┗━┯━┛     │
    │ ╭─────┤
    ▼ ▼     │
╭───────╮   │
│   c   │   │
╰───┬───╯   │
    ╰───┬───╯
        ▼
      ╭───╮
      │ d │
      ╰───╯
"""
    )


def test_long_edges_pass_beside_the_boxes_from_left_to_right() -> None:
    assert (
        above(render_terminal(LONG, direction="LR"))
        == """
          ┏━━━┓     ╭───╮
       ╭─▶┃ b ┠────▶│ c ├──╮
╭───╮  │  ┗━━━┛  ╭─▶│   │  │  ╭───╮
│ a ├──┤         │  ╰───╯  ├─▶│ d │
╰───╯  │         │         │  ╰───╯
       ╰─────────┴─────────╯
"""
    )


def test_two_leaves_end_on_their_levels() -> None:
    assert (
        above(render_terminal(LEAVES))
        == """
    ╭───╮
    │ a │
    ╰─┬─╯
  ╭───┴───╮
  ▼       ▼
┏━━━┓   ╭───╮
┃ b ┃   │ c │
┗━━━┛   ╰─┬─╯
          │
          ▼
        ┏━━━┓
        ┃ d ┃
        ┗━━━┛
"""
    )


def test_a_circle_is_drawn_and_told() -> None:
    assert (
        above(render_terminal(CYCLE))
        == """
   ╭────╮
   │ in │
   ╰─┬──╯
     │
     ▼
 ╭───────╮
 │   a   │
 ╰─┬─────╯
   ┆   ▲
  ╭╯   ╰╮
  ▼     ┆
┏━━━┓   ┆
┃ b ┃   ┆
┗━┯━┛   ┆
  ╰╮   ╭╯
   ▼   ┆
 ╭─────┴─╮
 │   c   │
 ╰───┬───╯
     │
     ▼
  ╭─────╮
  │ out │
  ╰─────╯

! a → b: WF301 cyclic-edge
! b → c: WF301 cyclic-edge
! c → a: WF301 cyclic-edge
"""
    )


def test_a_circle_is_drawn_and_told_from_left_to_right() -> None:
    assert (
        above(render_terminal(CYCLE, direction="LR"))
        == """
                       ┏━━━┓
╭────╮     ╭───╮  ╭┄┄┄▶┃ b ┠┄┄╮    ╭───╮     ╭─────╮
│ in ├────▶│ a ├┄┄╯    ┗━━━┛  ╰┄┄┄▶│ c ├────▶│ out │
╰────╯     │   │◀┄┄┄╮           ╭┄┄┤   │     ╰─────╯
           ╰───╯    ╰┄┄┄┄┄┄┄┄┄┄┄╯  ╰───╯

! a → b: WF301 cyclic-edge
! b → c: WF301 cyclic-edge
! c → a: WF301 cyclic-edge
"""
    )


def test_an_edge_to_itself_hangs_at_the_side() -> None:
    assert (
        above(render_terminal(LOOP))
        == """
╭───╮
│ a │
╰─┬─╯
  │
  ▼
┏━━━┓
┃ b ┠┄╮
┃   ┃◀╯
┗━━━┛

! b → b: WF302 self-loop
"""
    )


def test_an_edge_to_itself_hangs_at_the_side_from_left_to_right() -> None:
    assert (
        above(render_terminal(LOOP, direction="LR"))
        == """
╭───╮     ┏━━━━━┓
│ a ├────▶┃  b  ┃
╰───╯     ┗┯━━━━┛
           ┆ ▲
           ╰┄╯

! b → b: WF302 self-loop
"""
    )


def test_an_unknown_node_has_a_broken_frame() -> None:
    assert (
        above(render_terminal(UNKNOWN))
        == """
    ╭───╮
    │ a │
    ╰─┬─╯
      │
      ▼
┌╌╌╌╌╌╌╌╌╌╌╌┐
╎ ! clasify ╎
└╌╌╌╌╌╌╌╌╌╌╌┘

! clasify: WF304 unknown-node
"""
    )


def test_wide_characters_take_two_columns() -> None:
    assert (
        above(render_terminal(WIDE))
        == """
     ╭────────╮
     │ 前処理 │
     ╰───┬────╯
    ╭────┴─────╮
    ▼          ▼
┏━━━━━━━━┓   ╭───╮
┃ モデル ┃   │ b │
┗━━━┯━━━━┛   ╰─┬─╯
    ╰────┬─────╯
         ▼
      ╭──────╮
      │ 投票 │
      ╰──────╯
"""
    )


def test_wide_characters_take_two_columns_from_left_to_right() -> None:
    assert (
        above(render_terminal(WIDE, direction="LR"))
        == """
               ┏━━━━━━━━┓
            ╭─▶┃ モデル ┠──╮
╭────────╮  │  ┗━━━━━━━━┛  │  ╭──────╮
│ 前処理 ├──┤              ├─▶│ 投票 │
╰────────╯  │  ╭───╮       │  ╰──────╯
            ╰─▶│ b ├───────╯
               ╰───╯
"""
    )


def test_plain_ascii_tells_kinds_by_frames() -> None:
    assert (
        above(render_terminal(ENSEMBLE, is_ascii=True))
        == """
  .------------.
  | preprocess |
  '-----+------'
   .----+----.
   v         v
+=====+   +=====+
| cnn |   | mlp |
+==+==+   +==+==+
   '----+----'
        v
     .------.
     | vote |
     '------'
"""
    )


def test_plain_ascii_marks_faults() -> None:
    assert (
        above(render_terminal(CYCLE, is_ascii=True))
        == """
   .----.
   | in |
   '-+--'
     |
     v
 .-------.
 |   a   |
 '-+-----'
   :   ^
  .'   '.
  v     :
+===+   :
| b |   :
+=+=+   :
  '.   .'
   v   :
 .-----+-.
 |   c   |
 '---+---'
     |
     v
  .-----.
  | out |
  '-----'

! a -> b: WF301 cyclic-edge
! b -> c: WF301 cyclic-edge
! c -> a: WF301 cyclic-edge
"""
    )


@given(graphs())
@settings(max_examples=150, deadline=None)
@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_an_eye_that_follows_the_lines_reads_exactly_the_edges(direction: str, graph: Drawing) -> None:
    text = render_terminal(graph, width=3000, direction=direction).partition("\n\n!")[0]
    reader = Reader(text, is_turned=direction == "LR")
    assert reader.edges([node.name for node in graph.nodes]) == {(e.source, e.target) for e in graph.edges}


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_no_line_is_wider_than_asked_for(graph: Drawing) -> None:
    for width in (20, 40, 80):
        assert all(len(line) <= width for line in render_terminal(graph, width=width).splitlines())


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_plain_ascii_holds_nothing_else(graph: Drawing) -> None:
    assert render_terminal(graph, width=300, is_ascii=True).isascii()
    assert render_terminal(graph, width=20, is_ascii=True).isascii()


def test_what_does_not_fit_downward_is_turned() -> None:
    wide = drawing([("start", f"model{number}") for number in range(7)])
    text = render_terminal(wide, width=60)
    assert Reader(text, is_turned=True).edges([node.name for node in wide.nodes]) == {
        ("start", f"model{number}") for number in range(7)
    }


def test_names_are_shortened_before_the_picture_is_given_up() -> None:
    long = drawing([("a" * 30, "b" * 30), ("a" * 30, "c" * 30)])
    text = render_terminal(long, width=40)
    assert "a" * 13 + "…" in text
    assert "not drawn" not in text


def test_what_fits_in_no_way_is_listed_with_the_reason() -> None:
    pairs = [(f"a{number}", f"b{other}") for number in range(30) for other in range(30)]
    ladder = drawing([*pairs, *((f"b{other}", f"c{other}") for other in range(30))])
    lines = render_terminal(ladder, width=25).splitlines()
    assert " ".join(lines[:3]) == "not drawn: the picture needs at least 31 columns, there are 25"
    assert [line for line in lines if line.startswith("level")] == ["level 1", "level 2", "level 3"]
    assert sum(line.startswith("  ") for line in lines) == 90
    assert "  b7 (function) → c7" in lines
    assert "  a3 (function) → b0, b1…" in lines


def test_ten_thousand_nodes_are_listed() -> None:
    big = drawing([(f"n{number}", f"n{number + 1}") for number in range(10_000)])
    lines = render_terminal(big).splitlines()
    assert lines[0] == "not drawn: 10001 nodes are too many for a terminal"
    assert "  n9998 (function) → n9999" in lines


def test_no_nodes_are_no_picture() -> None:
    assert render_terminal(drawing([])) == "not drawn: there is no node\n"


def test_colour_is_only_added_to_the_same_picture() -> None:
    coloured = render_terminal(CYCLE, is_coloured=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_terminal(CYCLE)
    assert "\x1b[0;31m" in coloured


def test_settings_stand_on_a_second_line_while_there_is_room() -> None:
    detailed = drawing([("a", "m")], models=["m"], details={"m": "workers 1-2 · batch 4"})
    assert "┃ workers 1-2 · batch 4 ┃" in render_terminal(detailed)
    assert "| workers 1-2, batch 4 |" in render_terminal(detailed, is_ascii=True)
    assert "workers" not in render_terminal(detailed, width=20)


def test_very_many_faults_are_counted() -> None:
    many = drawing([], alone=[f"m{n}" for n in range(50)], faults={f"m{n}": "WF307 unused-model" for n in range(50)})
    assert render_terminal(many).splitlines()[-1] == "! and 31 more"


@pytest.mark.parametrize("name", ["\x1b[31mred\x07", "line\nbreak", "\u202egnirts", "a\u2028b", "tab\there", "\x9b2J"])
def test_hostile_names_are_shown_as_escapes(name: str) -> None:
    hostile = drawing([("a", name)], faults={name: f"WF304 {name}"})
    for text in (render_terminal(hostile), render_terminal(hostile, is_ascii=True), render_terminal(hostile, width=20)):
        assert all(char.isprintable() or char == "\n" for char in text)
        assert name not in text


@pytest.mark.parametrize("name", ["e\u0301te\u0301", "\u2601\ufe0f", "日本", "a\u3099"])
def test_marks_take_no_column_and_wide_characters_two(name: str) -> None:
    lines = render_terminal(drawing([("a", name)])).splitlines()
    assert any(f" {name} " in line for line in lines)
    assert len({columns(line.strip()) for line in lines[-3:]}) == 1
