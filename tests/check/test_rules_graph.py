from checking import check_text, codes, fixed, one, shown, spec_of


def test_a_circle_is_written_out_and_every_edge_is_shown() -> None:
    checked = check_text(spec_of("a: [b]\nb: [c, d]\nc: [a]", "a", "b", "c", "d"))
    found = one(checked, "WF301")
    assert found.message == "these nodes wait for each other for ever: a -> b -> c -> a"
    assert shown(checked, "WF301") == ["a", "b", "c"]
    assert [label.text for label in found.secondary] == ['"a" feeds into "b"', '"b" feeds into "c"']
    assert found.span is not None
    assert found.span.start.line == 9


def test_a_circle_begins_at_its_first_node_in_the_text() -> None:
    checked = check_text(spec_of("c: [a]\nb: [c]\na: [b]", "a", "b", "c"))
    assert one(checked, "WF301").message.endswith("c -> a -> b -> c")


def test_a_long_circle_is_told_shortly_with_its_edges_shown() -> None:
    names = [f"m{number}" for number in range(40)]
    dag = "\n".join(f"{a}: [{b}]" for a, b in zip(names, [*names[1:], names[0]], strict=True))
    found = one(check_text(spec_of(dag, *names)), "WF301")
    assert "(29 more)" in found.message
    assert len(found.secondary) == 39


def test_names_in_a_circle_cannot_write_to_the_terminal() -> None:
    found = one(check_text('models: {}\ndag:\n  "\\e[2J": [b]\n  b: ["\\e[2J"]\n'), "WF301")
    assert found.message.endswith("\\x1b[2J -> b -> \\x1b[2J")


def test_a_self_loop_is_no_circle() -> None:
    assert codes(check_text(spec_of("a: [a, b]", "a", "b"))) == ["WF302"]


def test_a_repeated_edge_shows_the_first_and_is_removed() -> None:
    checked = check_text(spec_of("a: [b, c , b]  # kept", "a", "b", "c"))
    assert shown(checked, "WF303") == ["b", "b"]
    assert "  a: [b, c]  # kept\n" in fixed(checked)


def test_a_repeated_line_of_a_block_list_is_removed() -> None:
    spec = "models:\n  a: {url: a.mar}\n  b: {url: b.mar}\ndag:\n  a:\n    - b  # first\n    - b\n"
    assert fixed(check_text(spec)) == spec.removesuffix("    - b\n")


def test_repetitions_that_cannot_be_cut_out_safely_are_left_to_people() -> None:
    head = "models:\n  a: {url: a.mar}\n  b: {url: b.mar}\ndag:\n"
    for dag in (
        "  a: [&x b, *x]\n",  # the alias is not the name
        '  a: [b, "\\x62"]\n',  # an escape
        "  a: [b,\n    b]\n",  # on a line of its own
        "  a: [b, &y b]\n",  # takes the anchor with it
        "  a:\n    - b\n    - b  # a word about this one\n",
    ):
        assert one(check_text(head + dag), "WF303").fix == ()


def test_further_entries_are_shown_together() -> None:
    checked = check_text(spec_of("a: [d]\nb: [d]\nc: [d]", "a", "b", "c", "d"))
    assert codes(checked) == ["WF305"]
    assert shown(checked, "WF305") == ["b", "a", "c"]


def test_several_entries_are_allowed_on_request() -> None:
    spec = spec_of("a: [d]\nb: [d]\nc: []", "a", "b", "c", "d", more="wfctl: {entries: many}\n")
    assert codes(check_text(spec)) == ["WF903", "WF904"]


def test_a_part_of_its_own_is_one_finding_at_its_first_node() -> None:
    checked = check_text(spec_of("a: [b]\ny: [z]\nx: [y]", "a", "b", "x", "y", "z"))
    assert codes(checked) == ["WF306"]
    assert one(checked, "WF306").message == 'no way leads from the entry "a" to "y", and with it "z", "x"'


def test_a_circle_apart_is_found_as_circle_and_as_apart() -> None:
    assert codes(check_text(spec_of("a: []\nx: [y]\ny: [x]", "a", "x", "y"))) == ["WF306", "WF301"]


def test_a_dag_that_is_one_circle_has_no_entry_to_be_apart_from() -> None:
    assert codes(check_text(spec_of("a: [b]\nb: [a]\nx: [y]\ny: [x]", "a", "b", "x", "y"))) == ["WF301", "WF301"]


def test_a_mistyped_edge_is_not_also_a_second_entry_or_an_unused_model() -> None:
    assert codes(
        check_text(spec_of("prepare: [detct]\ndetect: [finish]", "detect", "finish"), "def prepare(d, c): return d")
    ) == ["WF304"]
    assert codes(check_text(spec_of("prepare: [detect]", "detect"), "def prepair(d, c): return d")) == ["WF403"]
