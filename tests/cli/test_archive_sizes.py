import pytest

from wfctl.cli.sizes import columns, human_size


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_940, "999.9 kB"),
        (999_960, "1.0 MB"),
        (4_000_000_000, "4.0 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_a_size_has_the_unit_that_fits(count, text):
    assert human_size(count) == text


def test_columns_are_as_wide_as_their_longest_cell():
    assert columns([("1 B", "a", "x"), ("10 kB", "bcd", "yy")]) == ["  1 B  a    x", "10 kB  bcd  yy"]
    assert columns([("a", "b"), ("ccc", "d")], is_first_right=False) == ["a    b", "ccc  d"]
    assert columns([]) == []
