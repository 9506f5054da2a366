"""What YAML 1.1 reads in one word, compared with the library's own resolver and constructor."""

import math

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wfctl.spec.scalars import MAX_DIGITS, Kind, kind_of, value_of

TAGS = {
    "str": Kind.TEXT,
    "int": Kind.INTEGER,
    "float": Kind.FLOAT,
    "bool": Kind.BOOLEAN,
    "null": Kind.NULL,
    "timestamp": Kind.TIMESTAMP,
    "merge": Kind.MERGE,
    "value": Kind.TEXT,  # "=": no reader of specs gives it a meaning
}
RESOLVER = yaml.resolver.Resolver()


def kind_by_library(text):
    tag = RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
    return TAGS[tag.rpartition(":")[2]]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "~",
            "null",
            "Null",
            "nULL",
            "yes",
            "Yes",
            "yEs",
            "no",
            "on",
            "OFF",
            "y",
            "n",
            "true",
            "True",
            "truE",
            "<<",
        ),
        *(
            "0",
            "-0",
            "10",
            "+5",
            "010",
            "08",
            "0o17",
            "0x1F",
            "0b101",
            "5_000",
            "1:30",
            "-1:30",
            "1:90",
            "1e3",
            "1.e+3",
        ),
        *("1.5", ".5", "5.", "1_0.5", "-.5", "1:30.5", ".inf", "-.Inf", ".nan", "+.nan", ".", "-", "+", "1e3.0", "0."),
        *("2020-01-02", "2020-1-2", "2020-01-02T03:04:05Z", "2020-01-02 03:04:05.25 +01:30", "2020-01-02T", "="),
    ],
)
def test_words_are_of_the_kind_that_the_library_gives(text):
    assert kind_of(text) is kind_by_library(text)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="0123456789_.:-+eExXbBoOnNfFtTrRuUyYsSlLaAiI~< ", max_size=12))
@example("2020-01-02 3:04:05")
def test_any_word_is_of_the_kind_that_the_library_gives(text):
    assert kind_of(text) is kind_by_library(text)


@settings(max_examples=200, deadline=None)
@given(
    st.from_regex(
        r"[-+]?(0[0-7_]{0,6}|[1-9][0-9_]{0,6}|0x[0-9a-f_]{0,5}|0b[01_]{0,6}|[1-9][0-9]?(:[0-5][0-9]){1,2})",
        fullmatch=True,
    )
    | st.from_regex(r"[-+]?[0-9][0-9_]{0,4}\.[0-9_]{0,4}([eE][-+][0-9])?", fullmatch=True)
    | st.from_regex(
        r"2[0-9]{3}-0[1-9]-[0-2][1-9]( 0[0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{0,8})?( ?(Z|[-+]0[0-9](:30)?))?)?",
        fullmatch=True,
    )
)
def test_values_are_those_of_the_library(text):
    try:
        expected = yaml.safe_load(text)
    except ValueError:
        with pytest.raises(ValueError):
            value_of(kind_of(text), text)
        return
    value = value_of(kind_of(text), text)
    assert type(value) is type(expected)
    assert value == expected


def test_infinities_are_read():
    assert value_of(Kind.FLOAT, "-.inf") == -math.inf
    assert math.isnan(value_of(Kind.FLOAT, ".nan"))


@pytest.mark.parametrize("text", ["9" * (MAX_DIGITS + 1), "0x" + "f" * 5000, "x", "1.5"])
def test_a_whole_number_that_is_none_or_is_endless_has_no_value(text):
    with pytest.raises(ValueError):
        value_of(Kind.INTEGER, text)
