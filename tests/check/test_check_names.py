import pytest

from wfctl.check.closest import closest, closest_of_all
from wfctl.check.names import has_bad_form, is_reserved, is_too_long
from wfctl.check.wording import did_you_mean, listed, quoted


@pytest.mark.parametrize(
    "name", ["m1", "_x", "a-b", "a.b", "my model", "3d", "größe", "模型", "a__b", "no", "con", "x" * 999]
)
def test_ordinary_names_have_a_good_form(name: str) -> None:
    assert not has_bad_form(name)


@pytest.mark.parametrize(
    "name",
    [
        "", " ", ".", "..", "a..b", "a/b", "a\\b", "a:b", "a%2Fb", "a\n", "\ta", " a", "a ", "-a", ".a", "a.", "a?b", "a#b",
        "a\x1b[31m", "a\0", "a\u202eb", "a\u200bb", "<script>", 'a"b', "a'b", "a*b", "a|b", "a\ud800", "a\N{NO-BREAK SPACE}b",
    ],
)  # fmt: skip
def test_names_that_would_split_hide_or_lead_elsewhere_are_bad(name: str) -> None:
    assert has_bad_form(name)


def test_words_of_the_spec_and_of_python_are_reserved() -> None:
    assert all(map(is_reserved, ("models", "dag", "wfctl", "batch-size", "__init__")))
    assert not any(map(is_reserved, ("model", "Dag", "__", "____", "__x", "url", "body")))


def test_length_is_counted_in_bytes() -> None:
    assert not is_too_long("é" * 100)
    assert is_too_long("é" * 101)
    assert is_too_long("\ud800" * 101)


def test_close_matches_come_best_first() -> None:
    assert closest("postprocesing", ("preprocessing", "postprocessing", "m1"))[0] == "postprocessing"
    assert closest("Detect", ("detect", "detects")) == ("detect",)
    assert closest("x", ("postprocessing",)) == ()


def test_names_of_a_megabyte_are_not_compared() -> None:
    assert closest("x" * 1_000_000, ("x",)) == ()
    assert closest("abcd", ("abcd" * 250_000, "abce")) == ("abce",)


def test_suggestions_stop_at_the_budget() -> None:
    candidates = tuple(f"name{number}" for number in range(25_000))
    found = closest_of_all([f"nam{number}" for number in range(5)], candidates)
    assert [bool(matches) for matches in found.values()] == [True, True, False, False, False]


def test_words_of_the_user_are_shown_in_one_short_printable_line() -> None:
    assert quoted("m1") == '"m1"'
    assert quoted('a"b') == r'"a\"b"'
    assert quoted("\x1b[31m\n\u202e") == r'"\x1b[31m\n\u202e"'
    assert quoted("x" * 100) == '"' + "x" * 57 + '..."'
    assert listed(["a", "b", "c"], limit=2) == '"a", "b" and 1 more'
    assert did_you_mean(("a", "b")) == 'did you mean "a" or "b"?'
    assert did_you_mean(()) is None
