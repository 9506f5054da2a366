import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfctl.diagnostics.model import Severity, SourceText


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lines_end_as_in_the_files_of_all_systems(ends: str) -> None:
    source = SourceText("x", f"ab{ends}c{ends}")
    assert [source.line(number) for number in (0, 1, 2, 3, 4)] == ["", "ab", "c", "", ""]
    assert source.position(2 + len(ends)).line == 2


def test_places_count_from_one_in_characters() -> None:
    source = SourceText("x", "é\N{GRINNING FACE}z\nq")
    place = source.position(2)
    assert (place.line, place.column, place.offset) == (1, 3, 2)
    assert str(source.span(4, 5)) == "x:2:1"


def test_a_byte_order_mark_is_no_column() -> None:
    source = SourceText("x", "\ufeffdag:")
    assert source.position(1).column == 1
    assert source.position(0).column == 1
    assert source.line(1) == "dag:"


@given(st.text(alphabet="ab\r\n\u2028", max_size=30), st.integers(-5, 40))
def test_any_offset_has_a_place_inside_the_text(text: str, offset: int) -> None:
    source = SourceText("x", text)
    place = source.position(offset)
    assert 1 <= place.line <= len(source.line_starts)
    assert place.offset == max(0, min(offset, len(text)))
    assert source.line_starts[place.line - 1] + place.column - 1 == place.offset


def test_the_text_stays_out_of_the_representation() -> None:
    assert "secret" not in repr(SourceText("x", "secret"))


def test_severities_are_ordered_and_have_words() -> None:
    assert Severity.NOTE < Severity.WARNING < Severity.ERROR
    assert Severity.ERROR.word == "error"
