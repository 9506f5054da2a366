import pytest

from wfctl.handlers.text.markup import CLEANUP_REGEX


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<p class='x'>plain</p>", "plain"),
        ("a&nbsp;b &#65; &#x41;", "ab  "),
        ("1 < 2 & 3; AT&T", "1 < 2 & 3; AT&T"),
        ("&#1234567; stays", "&#1234567; stays"),
    ],
)
def test_tags_and_entities_are_markup(text, clean):
    assert CLEANUP_REGEX.sub("", text) == clean
