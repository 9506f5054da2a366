"""Files of properties say to us what they say to Java, and errors say where."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfctl.web.config.properties import ConfigError, Property, parse_properties, replace_variables


def values(text: str) -> dict[str, str]:
    return {key: found.value for key, found in parse_properties(text, name="c").items()}


def refusal(text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        replace_variables(parse_properties(text, name="a/c.properties"), environ or {}, name="a/c.properties")
    assert caught.value.code == "bad-config"
    return caught.value.message


# What java.util.Properties of OpenJDK 17 makes of the same texts.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("\n\r\n \t\f\n", {}),
        ("a=b", {"a": "b"}),
        ("a:b", {"a": "b"}),
        ("a b", {"a": "b"}),
        ("a\tb\fc", {"a": "b\fc"}),
        ("a \t=\f b", {"a": "b"}),
        ("a==b", {"a": "=b"}),
        ("a = : b", {"a": ": b"}),
        ("a = b \t", {"a": "b \t"}),
        ("a", {"a": ""}),
        ("=b", {"": "b"}),
        ("  # a=b\n\t! c=d\nx=1#2!3", {"x": "1#2!3"}),
        ("# a \\\nb=c", {"b": "c"}),
        (r"a\=\:\ \#b = c", {"a=: #b": "c"}),
        (r"a=\t\n\r\f\\\q\"\=", {"a": '\t\n\r\f\\q"='}),
        (r"a=\u0041\u00e9\\u0041", {"a": "A\u00e9\\u0041"}),
        (r"\u0061\u003d=1", {"a=": "1"}),
        (r"a=\ud83d\ude00", {"a": "\U0001f600"}),
        ("a=1\\\n  2\\\r\n\t3\\\r4\nb=5", {"a": "1234", "b": "5"}),
        ("a=1\\\\\nb=2", {"a": "1\\", "b": "2"}),
        ("a=1\\\\\\\nb=2", {"a": "1\\b=2"}),
        ("a=1\\\n# 2", {"a": "1# 2"}),
        ("a=1\\\n\nb=2", {"a": "1", "b": "2"}),
        ("a\\\n=\\\n1", {"a": "1"}),
        ("\\\n\\\n# a=1\nb=2", {"b": "2"}),
        ("a=1\\", {"a": "1"}),
        ("a=1\nb=2\na=3", {"a": "3", "b": "2"}),
        # Ends of lines for Python's own splitlines, and not for Java.
        ("a=1\x0b2\x852\u20283", {"a": "1\x0b2\x852\u20283"}),
        ("a=\u00a0b\u00a0", {"a": "\u00a0b\u00a0"}),
    ],
)
def test_texts_are_read_as_java_reads_them(text, expected):
    assert values(text) == expected


def test_a_backslash_that_ends_the_file_is_no_property():
    # Java makes an empty key with an empty value of it.
    assert values("a=1\n\\") == {"a": "1"}


def test_the_mark_of_an_encoding_is_no_part_of_the_first_key():
    assert values("\ufeffa=1\n\ufeffb=2") == {"a": "1", "\ufeffb": "2"}


def test_a_property_says_where_its_key_and_its_value_are():
    text = "# first\n\n  a = 1\nb\\\n   :  \\\n  2\nc\nd=1\\\n2\nd=3"
    assert parse_properties(text, name="c") == {
        "a": Property(value="1", line=3, begins=(3, 7)),
        "b": Property(value="2", line=4, begins=(6, 3)),
        "c": Property(value="", line=7, begins=(7, 2)),
        "d": Property(value="3", line=10, begins=(10, 3)),
    }
    assert parse_properties(text, name="c")["b"].where("x/y") == "x/y:6:3"


def test_a_property_keeps_its_own_line_behind_lines_that_say_nothing():
    assert parse_properties("\\\n# x\n\na=1", name="c")["a"].line == 4


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (r"a=\u12", "1:3"),
        ("x=1\n\n a = b\\\n  c\\u12g4", "4:4"),
        (r"\u=1", "1:1"),
        (r"a=\U0041 \u", "1:10"),
    ],
)
def test_a_character_without_its_digits_is_refused_where_it_stands(text, place):
    assert refusal(text) == rf"a/c.properties:{place}: four hexadecimal digits must follow \u"


@pytest.mark.parametrize("text", [r"a=\ud83d", r"a=\ude00\ud83d", r"a=b\udc80"])
def test_half_a_character_is_refused(text):
    assert refusal(text).startswith("a/c.properties:1:3: ")


# Variables


def replaced(text: str, **environ: str) -> dict[str, str]:
    found = replace_variables(parse_properties(text, name="c"), environ, name="c")
    return {key: each.value for key, each in found.items()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("$$A$$", "1"),
        ("x$$A$$y$$BC$$z", "x1y2z"),
        ("$$A$$$$BC$$", "12"),
        ("$$E$$", ""),
        ("$A$ $ $$A$ A$$", "$A$ $ $$A$ A$$"),
        ("$$$$", "$$$$"),
        ("$${A}$", "$${A}$"),
        # What a variable holds is taken as it is.
        ("$$LOOP$$", r"$$A$$ $1 \n"),
    ],
)
def test_variables_in_values_are_replaced_once(value, expected):
    environ = {"A": "1", "BC": "2", "E": "", "LOOP": r"$$A$$ $1 \n"}
    assert replaced(f"k={value}", **environ) == {"k": expected}


def test_variables_in_keys_are_not_replaced():
    assert replaced("$$A$$=b", A="1") == {"$$A$$": "b"}


def test_a_value_with_variables_keeps_its_place():
    before = parse_properties("\na = $$A$$", name="c")
    after = replace_variables(before, {"A": "long and longer"}, name="c")
    assert after == {"a": Property(value="long and longer", line=2, begins=(2, 5))}
    assert before["a"].value == "$$A$$"


def test_a_variable_that_is_not_set_is_named_with_its_place_and_its_key():
    message = refusal("x=1\n\nmodel_store = /srv/$$STORE$$", {"store": "y"})
    assert message == ('a/c.properties:3:15: "model_store" needs the environment variable "STORE", which is not set')


# Round trip: whatever is stored, in whatever layout, is read again.


def escaped(text: str, *, is_key: bool) -> str:
    found = []
    for char in text:
        if char in "\t\n\r\f\\":
            found.append({"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}.get(char, "\\\\"))
        elif char in "=:#! ":
            # A value needs this only at its beginning; it is allowed everywhere.
            found.append(f"\\{char}" if is_key or not found else char)
        elif ord(char) > 0xFFFF:
            code = char.encode("utf-16-be")
            found.append(f"\\u{code[:2].hex()}\\u{code[2:].hex()}")
        else:
            found.append(char if char in string.printable else f"\\u{ord(char):04x}")
    return "".join(found)


TEXT = st.text(st.one_of(st.sampled_from("ab=:#! \t\f\r\n\\u$"), st.characters(exclude_categories=["Cs"])), max_size=12)
LAYOUT = st.tuples(
    st.sampled_from(["", " \t", "\n# note \\\n", "\r\n!\r", "\f"]),
    st.sampled_from(["=", ":", " = ", "\t:\f", "=\\\n ", " \\\r\n : "]),
    st.sampled_from(["\n", "\r", "\r\n", "\n\n"]),
)


def ends(text: str) -> int:
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n")


@given(st.dictionaries(TEXT, st.tuples(TEXT, LAYOUT), max_size=6))
def test_what_is_stored_is_read_again(stored):
    text, lines = "", {}
    for key, (value, (before, separator, after)) in stored.items():
        text += before
        lines[key] = ends(text) + 1
        text += escaped(key, is_key=True) + separator + escaped(value, is_key=False) + after
    found = parse_properties(text, name="c")
    assert {key: each.value for key, each in found.items()} == {key: value for key, (value, _) in stored.items()}
    assert {key: each.line for key, each in found.items()} == lines


@given(st.text(st.sampled_from("ab=: \t\f\\\n\r#!u0"), max_size=40))
def test_any_text_is_read_or_refused_and_places_lie_within_it(text):
    try:
        found = parse_properties(text, name="c")
    except ConfigError:
        return
    natural = re.split("\r\n|\r|\n", text)
    for each in found.values():
        line, column = each.begins
        assert 1 <= each.line <= line <= len(natural)
        assert 1 <= column <= len(natural[line - 1]) + 1
