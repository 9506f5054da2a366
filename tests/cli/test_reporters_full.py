"""The form for people: carets stand under their characters, whatever the text holds."""

from collections.abc import Iterable

import click
import pytest

from wfctl.cli.reporters.cells import cell_width, show, wrap
from wfctl.cli.reporters.full import FullReporter
from wfctl.cli.reporters.interface import Verdict
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Edit, Label, SourceText, Span
from wfctl.diagnostics.report import Report


def at(source: SourceText, word: str, occurrence: int = 1) -> Span:
    start = -1
    for _ in range(occurrence):
        start = source.text.index(word, start + 1)
    return source.span(start, start + len(word))


def shown(*findings: Diagnostic, width: int | None = None, path: str = "w.yaml") -> str:
    verdict = Verdict(path=path, report=Report.of(findings))
    return click.unstyle(FullReporter(width=width).render([verdict]))


def text_of(*lines: str) -> str:
    return "\n".join(lines) + "\n\n"


SPEC = SourceText("w.yaml", "models:\n  m1: {url: m1.mar}\ndag:\n  pre: [m1, m1]\n  m1: [pre]\n")


def test_a_finding_is_framed_with_its_line_caret_label_help_and_notes() -> None:
    found = find(
        "WF304",
        'unknown node "pre"',
        at(SPEC, "pre"),
        label="nothing has this name",
        help="spell it",
        notes=("one", "two"),
    )
    assert shown(found) == text_of(
        'error[WF304]: unknown node "pre"',
        " --> w.yaml:4:3",
        "  |",
        "4 |   pre: [m1, m1]",
        "  |   ^^^ nothing has this name",
        "  |",
        "  = help: spell it",
        "  = note: one",
        "  = note: two",
    )


def test_a_fix_is_announced_beside_the_help() -> None:
    span = at(SPEC, "pre")
    edit = (Edit(span=span, replacement="post"),)
    assert "  = help: rename it (--fix does this)\n" in shown(find("WF304", "x", span, help="rename it", fix=edit))
    assert "  = help: --fix does this\n" in shown(find("WF304", "x", span, fix=edit))


def test_a_finding_without_a_place_names_the_workflow() -> None:
    assert shown(find("WF401", "there is no handler.py"), path="a/b.yaml") == text_of(
        "error[WF401]: there is no handler.py",
        " --> a/b.yaml",
    )


def test_second_places_on_the_same_line_hang_below() -> None:
    second = Label(span=at(SPEC, "m1", 3), text="first here")
    found = find("WF303", "twice", at(SPEC, "m1", 4), label="again here", secondary=(second,))
    assert shown(found) == text_of(
        "error[WF303]: twice",
        " --> w.yaml:4:13",
        "  |",
        "4 |   pre: [m1, m1]",
        "  |         --  ^^ again here",
        "  |         |",
        "  |         first here",
    )


def test_three_places_on_one_line_keep_their_texts_apart() -> None:
    source = SourceText("w.yaml", "a: [b, c, d]\n")
    labels = tuple(Label(span=at(source, name), text=f"text {name}") for name in "bc")
    assert shown(find("WF303", "x", at(source, "d"), label="text d", secondary=labels)).splitlines()[4:] == [
        "  |     -  -  ^ text d",
        "  |     |  |",
        "  |     |  text c",
        "  |     |",
        "  |     text b",
        "",
    ]


def test_overlapping_places_get_rows_of_their_own() -> None:
    second = Label(span=at(SPEC, "pre: [m1"), text="the whole")
    found = find("WF303", "x", at(SPEC, "pre"), label="the name", secondary=(second,))
    assert shown(found).splitlines()[4:6] == ["  |   ^^^ the name", "  |   -------- the whole"]


def test_places_on_other_lines_share_a_frame_and_what_lies_between_is_left_out() -> None:
    source = SourceText("w.yaml", "".join(f"line{number}: x\n" for number in range(1, 13)))
    seconds = (Label(span=at(source, "line3"), text="near"), Label(span=at(source, "line12"), text="far"))
    assert shown(find("WF301", "x", at(source, "line1"), label="here", secondary=seconds)) == text_of(
        "error[WF301]: x",
        "  --> w.yaml:1:1",
        "   |",
        " 1 | line1: x",
        "   | ^^^^^ here",
        " 2 | line2: x",
        " 3 | line3: x",
        "   | ----- near",
        "...",
        "12 | line12: x",
        "   | ------ far",
    )


def test_a_place_in_another_file_gets_a_frame_of_its_own() -> None:
    handler = SourceText("handler.py", "import os\n\n\ndef pre(data):\n    return data\n")
    second = Label(span=at(handler, "(data)"), text="one parameter")
    assert shown(find("WF404", "too few", at(SPEC, "pre"), label="called here", secondary=(second,))) == text_of(
        "error[WF404]: too few",
        " --> w.yaml:4:3",
        "  |",
        "4 |   pre: [m1, m1]",
        "  |   ^^^ called here",
        "  |",
        " ::: handler.py:4:8",
        "  |",
        "4 | def pre(data):",
        "  |        ------ one parameter",
    )


def test_a_place_over_several_lines_has_a_rail() -> None:
    source = SourceText("w.yaml", "dag:\n  a: [b]\n  b: [c]\n  c: [d]\n  d: [e]\n  e: [f]\nend: 1\n")
    span = source.span(source.text.index("a: "), source.text.index("end"))
    assert shown(find("WF201", "x", span, label="all of this")) == text_of(
        "error[WF201]: x",
        " --> w.yaml:2:3",
        "  |",
        "2 | /   a: [b]",
        "3 | |   b: [c]",
        "4 | |   c: [d]",
        "5 | |   d: [e]",
        "6 | |   e: [f]",
        "  | |________^ all of this",
    )


def test_the_middle_of_a_long_place_is_left_out() -> None:
    source = SourceText("w.yaml", "dag: {\n" + "".join(f"  n{i}: [],\n" for i in range(20)) + "}\n")
    span = source.span(source.text.index("{"), source.text.index("}") + 1)
    assert shown(find("WF201", "x", span)).splitlines()[3:] == [
        " 1 |   dag: {",
        "   |  ______^",
        " 2 | |   n0: [],",
        " 3 | |   n1: [],",
        "...  |",
        "21 | |   n19: [],",
        "22 | | }",
        "   | |_^",
        "",
    ]


@pytest.mark.parametrize(
    ("line", "word", "caret_at"),
    [
        ("key: value", "value", 5),
        ("\tkey: value", "value", 9),
        ("模型: value", "value", 6),
        ("cafe\u0301: value", "value", 6),
        ("a\x1b[31mb: value", "value", 4 + 6 + 2),
        ("a\u202eb: value", "value", 10),
        ("ключ: value", "value", 6),
        ("각\u1100\u1161\u11a8: value", "value", 6),
    ],
    ids=["ascii", "tab", "wide", "combining", "escape", "bidirectional", "cyrillic", "hangul parts"],
)
def test_the_caret_stands_under_its_word(line: str, word: str, caret_at: int) -> None:
    source = SourceText("w.yaml", line + "\n")
    frame = shown(find("WF201", "x", at(source, word))).splitlines()
    row, carets = frame[3].removeprefix("1 | "), frame[4].removeprefix("  | ")
    assert carets == " " * caret_at + "^" * len(word)
    before, _, _ = row.partition(word)
    assert cell_width(before) == caret_at
    assert row.isprintable()


def test_a_wide_word_is_underlined_in_its_whole_width() -> None:
    source = SourceText("w.yaml", "a: [模型]\n")
    assert shown(find("WF304", "x", at(source, "模型"))).splitlines()[4] == "  |     ^^^^"


def test_a_byte_order_mark_takes_no_room() -> None:
    source = SourceText("w.yaml", "\ufeffdag: {}\n")
    assert shown(find("WF205", "x", at(source, "{}"))).splitlines()[3:5] == ["1 | dag: {}", "  |      ^^"]


def test_the_end_of_a_line_and_of_a_file_can_be_pointed_at() -> None:
    source = SourceText("w.yaml", "dag: [a")
    end = len(source.text)
    assert shown(find("WF102", "x", source.span(end, end))).splitlines()[3:5] == ["1 | dag: [a", "  |        ^"]
    assert shown(find("WF112", "x", SourceText("w.yaml", "").span(0, 0))).splitlines()[3:5] == ["1 |", "  | ^"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending_is_an_end_of_line(ending: str) -> None:
    source = SourceText("w.yaml", ending.join(["models: {}", "dag: {}", ""]))
    assert shown(find("WF205", "x", at(source, "{}", 2))).splitlines()[3:5] == ["2 | dag: {}", "  |      ^^"]


def test_control_characters_of_the_user_reach_no_terminal() -> None:
    evil = "\x1b]0;title\x07\x9b31m\u202e\x00"
    source = SourceText(f"{evil}.yaml", f"a: {evil}\n")
    label = Label(span=source.span(0, 1), text=evil)
    found = find("WF304", evil, source.span(3, 8), label=evil, help=evil, notes=(evil,), secondary=(label,))
    text = FullReporter().render([Verdict(path=evil, report=Report.of([found, find("WF401", evil)]))])
    assert all(line.isprintable() for line in click.unstyle(text).splitlines())


LONG = "dag: {root: [" + ", ".join(f"node{number}" for number in range(300)) + "]}"


@pytest.mark.parametrize("word", ["dag", "node0", "node150", "node299", "}"])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_long_line_is_cut_around_the_caret(word: str, width: int) -> None:
    source = SourceText("w.yaml", LONG + "\n")
    row, carets = shown(find("WF304", "x", at(source, word)), width=width).splitlines()[3:5]
    assert len(row) <= width
    start, stop = carets.index("^"), carets.rindex("^") + 1
    assert row[start:stop] == word


def test_a_cut_line_of_wide_characters_fits_too() -> None:
    source = SourceText("w.yaml", "模" * 500 + "ERROR" + "型" * 500)
    row, carets = shown(find("WF304", "x", at(source, "ERROR")), width=80).splitlines()[3:5]
    assert cell_width(row) <= 80
    before, found, _ = row.partition("ERROR")
    assert found
    assert carets.index("^") == cell_width(before)


def test_a_second_place_that_was_cut_off_is_marked_at_the_cut() -> None:
    source = SourceText("w.yaml", LONG + "\n")
    label = Label(span=at(source, "node299"), text="far away")
    frame = shown(find("WF303", "x", at(source, "node0"), secondary=(label,)), width=80).splitlines()
    assert frame[3].endswith("...")
    assert "far away" in "\n".join(frame)


def test_a_line_of_a_megabyte_is_drawn_at_once() -> None:
    shown_line = show("x" * 1_000_000 + "ERROR" + "x" * 1_000_000, focus=1_000_000, width=100)
    assert "ERROR" in shown_line.text
    assert len(shown_line.text) <= 100
    assert shown_line.text[shown_line.cell(1_000_000) :].startswith("ERROR")


def test_remarks_are_wrapped_on_a_terminal_only() -> None:
    found = find("WF401", "x", at(SPEC, "pre"), help="a remark that goes on and on for longer than forty columns")
    assert shown(found).splitlines()[-2].endswith("forty columns")
    assert shown(found, width=40).splitlines()[6:-1] == [
        "  = help: a remark that goes on and on",
        "          for longer than forty columns",
    ]


@pytest.mark.parametrize(
    "text", ["", "word", "a b  c", "verylongwordthatfitsnowhere", "one two verylongwordthatfitsnowhere x"]
)
def test_wrapping_loses_no_word(text: str) -> None:
    lines = list(wrap(text, 10))
    assert " ".join(lines).split() == text.split()
    assert all(cell_width(line) <= 10 or " " not in line for line in lines)


def test_reports_are_shown_in_the_order_of_their_workflows() -> None:
    def verdicts() -> Iterable[Verdict]:
        for name in ("z.yaml", "a.yaml"):
            yield Verdict(path=name, report=Report.of([find("WF401", "x")]))

    text = click.unstyle(FullReporter().render(list(verdicts())))
    assert text.index("z.yaml") < text.index("a.yaml")


def test_the_text_of_a_mark_is_moved_and_wrapped_to_fit_a_terminal() -> None:
    source = SourceText("w.yaml", "dag: {first_node: [second_node, third_node]}\n")
    found = find(
        "WF304", "a message that is longer than the line", at(source, "third_node"), label="there is no such node"
    )
    assert shown(found, width=50).splitlines()[5:8] == [
        "  |                                 ^^^^^^^^^^",
        "  |                                 |",
        "  |                          there is no such node",
    ]
    for width in (30, 40, 50, 80):
        frame = shown(found, width=width).splitlines()
        assert max(map(len, frame)) <= width
        assert "there is no such node" in " ".join(line.removeprefix("  |").strip() for line in frame)
    assert shown(found, width=40).splitlines()[:2] == [
        "error[WF304]: a message that is longer",
        "              than the line",
    ]


def test_moved_texts_keep_clear_of_the_bars_of_others() -> None:
    source = SourceText("w.yaml", "dag: {first_node: [second_node, third_node]}\n")
    label = Label(span=at(source, "second_node"), text="the other one")
    found = find("WF303", "x", at(source, "third_node"), label="there is no such node", secondary=(label,))
    assert shown(found, width=50).splitlines()[4:9] == [
        "  |                    -----------  ^^^^^^^^^^",
        "  |                    |            |",
        "  |                    |     there is no such node",
        "  |                    |",
        "  |                    the other one",
    ]
