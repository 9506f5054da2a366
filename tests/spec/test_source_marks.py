"""Reading YAML: marks, budgets, and what is refused, with libyaml's parser and with the Python one."""

import resource
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.diagnostics.model import SourceText
from wfctl.errors import ArchiveError
from wfctl.spec import source as source_module
from wfctl.spec.compose import MAX_DEPTH, MAX_FINDINGS, MAX_VALUES
from wfctl.spec.nodes import Mapping, Scalar, Sequence
from wfctl.spec.source import compose, read_mapping
from wfctl.spec.text import MAX_BYTES, read_spec_text


@pytest.fixture(params=["libyaml", "python"])
def parser(request, monkeypatch):
    if request.param == "python":
        monkeypatch.setattr(source_module.yaml, "__with_libyaml__", False)
    elif not yaml.__with_libyaml__:
        pytest.skip("libyaml is not built in")
    return request.param


def read(text):
    return compose(SourceText("w.yaml", text))


def codes(text):
    return [finding.code for finding in read(text)[1]]


def words(node):
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from words(item)
    elif isinstance(node, Mapping):
        for key, value in node.pairs():
            yield key
            yield from words(value)


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["bare", "marked"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_every_word_is_marked_where_it_stands(parser, mark, end):
    text = mark + end.join(["# é", "größe: [a, 😀, 'q']", "ß:", "  ü: x", ""])
    root, findings = read(text)
    assert not findings
    assert (
        {text[node.start : node.end].strip("'") for node in words(root)}
        == {node.text for node in words(root)}
        == {"größe", "a", "😀", "q", "ß", "ü", "x"}
    )


def test_positions_do_not_count_a_byte_order_mark(parser):
    text = SourceText("w.yaml", "\ufeffé: [\nb: c")
    _, (finding,) = compose(text)
    assert (finding.code, finding.span.start.line, finding.span.start.column) == ("WF102", 1, 4)


def test_a_block_ends_with_its_last_value_not_with_the_comments_below(parser):
    root, _ = read("a:\n  b: c  # d\n\n# e\nf: g\n")
    assert "a:\n  b: c  # d"[root.values[0].start : root.values[0].end] == "b: c"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: [b, c", "WF102", (1, 4)),
        ('a: "b', "WF102", (1, 4)),
        ("a:\n\tb: c", "WF102", (2, 1)),
        ("a: b: c", "WF102", (1, 5)),
        ("é: ü\na: @b", "WF102", (2, 4)),
        ("a: b\nc\nd: e", "WF102", None),
        ("a: }", "WF102", (1, 4)),
        ('a: "\\q"', "WF102", None),
        ("a: 1\nb: 2\na: 3", "WF103", (3, 1)),
        ("a: b\n---\nc: d", "WF104", (2, 1)),
        ("a: &a [*a]", "WF109", (1, 8)),
        ("a: &a {<<: *a}", "WF109", (1, 12)),
        ("a: !!python/object/apply:os.system [x]", "WF110", (1, 4)),
        ("a: !!javax.script.ScriptEngineManager x", "WF110", (1, 4)),
        ("a: !mine x", "WF110", (1, 4)),
        ("a: !!int x", "WF110", (1, 4)),
        ("a: !!map [x]", "WF110", (1, 4)),
        ("a: b\x07", "WF111", (1, 5)),
        ("é: \ud800", "WF111", (1, 4)),
        ("", "WF112", (1, 1)),
        ("# only a comment\n", "WF112", (1, 1)),
        ("---\n...\n", "WF112", (1, 1)),
        ("a: *b", "WF113", (1, 4)),
        ("? [a]\n: b", "WF201", (1, 3)),
        ("a: {<<: b}", "WF201", (1, 9)),
        ("a: b\u202ec", "WF601", (1, 5)),
    ],
)
def test_a_fault_is_found_at_its_place(parser, text, code, place):
    _, (finding,) = read(text)
    assert finding.code == code
    start = finding.span.start
    assert (start.line, start.column) == (place or (start.line, start.column))
    assert finding.message == finding.message.rstrip(".")
    assert finding.help


def test_an_unclosed_bracket_is_shown_where_it_opens_and_where_it_is_missed(parser):
    _, (finding,) = read("dag:\n  a: [b\n  c: [d]\n")
    assert (finding.span.start.line, finding.span.start.column) == (2, 6)
    assert finding.secondary[0].span.start.line == 3


def test_a_key_that_stands_thrice_points_to_the_first(parser):
    root, findings = read("a: 1\na: 2\na: 3\n")
    assert [finding.secondary[0].span.start.line for finding in findings] == [1, 1]
    assert root.values[0].text == "3"


def test_core_tags_are_read(parser):
    assert read_mapping('a: !!str 5\nb: !!int "5"\nc: !!float 3\nd: ! 7\ne: !!seq [x]') == {
        "a": "5",
        "b": 5,
        "c": 3.0,
        "d": "7",
        "e": ["x"],
    }


def test_aliases_and_merge_keys_are_read_and_own_keys_win(parser):
    text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], a: 0}\nw: {<<: *x}\nv: '<<'\n"
    value = read_mapping(text)
    assert value["z"] == {"a": 0, "b": 2, "c": 4}
    assert value["w"] == {"a": 1, "b": 2}


def test_json_is_read(parser):
    assert read_mapping('{"a": [1, 2.5, true, null, "x\\u00e9"]}') == {"a": [1, 2.5, True, None, "xé"]}


def nest_of_aliases():
    rows = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    rows += [f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]" for n in range(9)]
    return "\n".join(rows)


HOSTILE = {
    "alias nest": (nest_of_aliases, "WF105"),
    "alias nest in merges": (
        lambda: "a: &a {x: [" + "y," * 9000 + "]}\nb: [" + "{<<: *a}," * 100 + "]",
        "WF105",
    ),
    "alias depth": (
        lambda: "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 500)),
        "WF106",
    ),
    "flow lists": (lambda: "[" * 100_000, "WF106"),
    "block lists": (lambda: "- " * 100_000, "WF106"),
    "keys": (lambda: "? " * 100_000, "WF106"),
    "flow mappings": (lambda: "{a: " * 100_000, "WF106"),
    "block mappings": (lambda: "\n".join(" " * n + "a:" for n in range(2800)), "WF106"),
    "a scalar of 50 MB": (lambda: "a: " + "x" * 50_000_000, "WF107"),
    "a million keys": (lambda: "".join(f"key{n}: 1\n" for n in range(1_000_000)), "WF107"),
    "nodes of 100,000": (lambda: "dag: {" + ",".join(f"n{n}: [n{n + 1}]" for n in range(100_000)) + "}", "WF108"),
    "two million short keys": (lambda: "{" + "a," * 2_000_000 + "}", "WF108"),
    "zeros": (lambda: "\0" * 4_000_000, "WF111"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_with_its_own_code(name):
    make, code = HOSTILE[name]
    root, findings = read(make())
    assert root is None
    assert {finding.code for finding in findings} == {code}


@pytest.mark.parametrize("name", [name for name in HOSTILE if "million" not in name and "100,000" not in name])
def test_hostile_text_is_refused_by_the_python_parser_too(name, monkeypatch):
    monkeypatch.setattr(source_module.yaml, "__with_libyaml__", False)
    make, code = HOSTILE[name]
    assert {finding.code for finding in read(make())[1]} == {code}


def test_refusal_costs_little_time_and_memory():
    text = nest_of_aliases()
    assert len(text) < 414
    texts = [text, *(HOSTILE[name][0]() for name in ("flow lists", "block lists", "keys", "a scalar of 50 MB"))]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    for each in texts:
        assert read(each)[0] is None
    assert time.process_time() - started < 1.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


def test_nesting_up_to_the_budget_is_read(parser):
    assert not codes("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert codes("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)) == ["WF106"]


def test_values_up_to_the_budget_are_read():
    assert not codes("[" + "a," * (MAX_VALUES - 1) + "]")
    assert codes("[" + "a," * MAX_VALUES + "]") == ["WF108"]


def test_thousands_of_faults_are_cut_and_say_so():
    findings = read("{" + "a," * 5000 + "}")[1]
    assert len(findings) == MAX_FINDINGS
    assert findings[-1].notes


def test_bytes_that_are_no_utf8_are_found_at_their_place():
    finding = read_spec_text(b"a: b\nc: \xff", "w.yaml")
    assert (finding.code, finding.span.start.line, finding.span.start.column) == ("WF101", 2, 4)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named(encoding):
    found = read_spec_text("a: b\n".encode(encoding), "w.yaml")
    if isinstance(found, SourceText):
        (finding, *_) = compose(found)[1]
    else:
        finding = found
    assert "UTF-16" in finding.message


def test_bytes_over_the_budget_are_refused_before_they_are_decoded():
    assert read_spec_text(b"\xff" * (MAX_BYTES + 1), "w.yaml").code == "WF107"


def test_a_byte_order_mark_survives_reading():
    text = read_spec_text("\ufeffdag: {a: []}\r\n".encode(), "w.yaml")
    assert text.text.encode() == "\ufeffdag: {a: []}\r\n".encode()
    assert not compose(text)[1]


@pytest.mark.parametrize(
    "text",
    ["a: [", "- a", "a: !x b", "a: &a [*a]", "a: 2020-13-45", "a: " + "9" * 5000, "a\0", "[" * 200],
)
def test_unfit_configuration_is_refused(text):
    with pytest.raises(ArchiveError):
        read_mapping(text)


def test_configuration_is_read_as_plain_yaml_readers_do(parser):
    text = "a: 1\nb: {1: x, true: y, no: z}\nc: 2020-01-02\nd: 1:30\ne: 5_000\nf: 010\na: 2\n"
    assert read_mapping(text) == yaml.safe_load(text)
    assert read_mapping("") == {}


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=6), values, max_size=4), st.sampled_from([True, False, None]))
def test_what_a_yaml_writer_writes_is_read_back(value, flow):
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    assert read_mapping(text) == yaml.safe_load(text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab:-[]{},#&*!|>'\"%@?\n\t \ufeff\u2028é0.", max_size=40))
def test_any_text_gives_a_tree_or_findings_within_the_text(text):
    root, findings = read(text)
    assert root is not None or findings
    for finding in findings:
        assert 0 <= finding.span.first <= finding.span.beyond <= len(text) + 3
