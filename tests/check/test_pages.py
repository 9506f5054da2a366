"""The examples on the pages are run: what a page says about its code is so."""

from importlib.resources import files

import pytest
from checking import check_example, codes

from wfctl.check.page import expanded, read_page
from wfctl.compat.rules import COMPAT_CODES
from wfctl.diagnostics.catalog import RULES
from wfctl.errors import UnreadableInputError

# What stands on the inside of archives is found by check-compat: tests/check_compat packs and judges those examples.
OF_A_CHECK = [code for code in RULES if code not in COMPAT_CODES]


@pytest.mark.parametrize("code", OF_A_CHECK)
def test_the_bad_example_yields_exactly_its_code(code: str) -> None:
    assert codes(check_example(read_page(code).bad)) == [code]


@pytest.mark.parametrize("code", OF_A_CHECK)
def test_the_good_example_yields_nothing(code: str) -> None:
    checked = check_example(read_page(code).good)
    assert list(checked.report) == []
    assert checked.workflow is not None


@pytest.mark.parametrize("code", RULES)
def test_a_page_has_title_words_and_both_examples(code: str) -> None:
    text = read_page(code).text
    assert text.startswith(f"# {code} {RULES[code].name}\n\n")
    assert text.index("## Bad") < text.index("## Good")
    assert len(text.split("## Bad")[0]) > 100
    assert text.endswith("```\n")
    assert all(len(line) <= 120 for line in text.splitlines())


def test_there_is_no_page_without_a_code() -> None:
    assert {page.name for page in files("wfctl.check").joinpath("pages").iterdir()} == {f"{code}.md" for code in RULES}


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(UnreadableInputError, match='"WF000"'):
        read_page("WF000")


def test_escapes_and_repetitions_are_written_out() -> None:
    assert expanded(r"a\x41\u0042${xy * 3}") == "aABxyxyxy"
