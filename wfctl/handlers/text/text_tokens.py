"""English text as tokens, cut as the models of the time were trained on.

Invariant: pure functions of text.
"""

from collections.abc import Callable, Iterator, Sequence

Tokenizer = Callable[[str], list[str]]

_SPACED = str.maketrans({mark: f" {mark} " for mark in "'.,()!?"})
_BLANKED = str.maketrans(";:", "  ")
_LINE_BREAK = "<br />"


def basic_english(line: str) -> list[str]:
    """Return the words and marks of a line in lower case; quotation marks and line breaks of HTML are dropped."""
    return line.lower().replace('"', "").replace(_LINE_BREAK, " ").translate(_BLANKED).translate(_SPACED).split()


def get_tokenizer(tokenizer: str | Tokenizer | None, language: str = "en") -> Tokenizer:
    """Return what cuts a line: ``basic_english``, a function of one's own, or at spaces if ``None``."""
    if tokenizer is None:
        return str.split
    if callable(tokenizer):
        return tokenizer
    if tokenizer != "basic_english":
        raise ValueError(f'tokenizer "{tokenizer}" is not known; take "basic_english", a function or none')
    if language != "en":
        raise ValueError(f'"basic_english" is for English ("en"), not "{language}"')
    return basic_english


def ngrams_iterator(token_list: Sequence[str], ngrams: int) -> Iterator[str]:
    """Give the tokens, then every pair of neighbours, and so on up to ``ngrams`` of them, joined by spaces."""
    yield from token_list
    for size in range(2, ngrams + 1):
        for first in range(len(token_list) - size + 1):
            yield " ".join(token_list[first : first + size])
