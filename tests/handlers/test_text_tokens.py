import pytest

from wfctl.handlers.text.text_tokens import basic_english, get_tokenizer, ngrams_iterator


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ("You can now install it!", ["you", "can", "now", "install", "it", "!"]),
        ("Don't, (really)?", ["don", "'", "t", ",", "(", "really", ")", "?"]),
        ('a "b" c.d', ["a", "b", "c", ".", "d"]),
        ("a<br />b;c:d", ["a", "b", "c", "d"]),
        ('<br "/>x', ["x"]),
        (" \t\n", []),
    ],
)
def test_english_is_cut_into_words_and_marks(line, tokens):
    assert basic_english(line) == tokens


def test_a_tokenizer_is_got_by_name_or_brought_along():
    assert get_tokenizer("basic_english")("A.") == ["a", "."]
    assert get_tokenizer(None)("A b.") == ["A", "b."]
    assert get_tokenizer(list)("ab") == ["a", "b"]


@pytest.mark.parametrize(("words", "message"), [(("spacy",), "is not known"), (("basic_english", "de"), 'not "de"')])
def test_other_tokenizers_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        get_tokenizer(*words)


def test_neighbours_follow_the_tokens():
    assert list(ngrams_iterator(["here", "we", "are"], 2)) == ["here", "we", "are", "here we", "we are"]
    assert list(ngrams_iterator(["a", "b", "c"], 3))[-1] == "a b c"
    assert list(ngrams_iterator([], 3)) == []
