"""Close matches of a mistyped name.

Invariant: bounded work, however many names there are; beyond the budget names simply get no suggestion.
"""

from collections.abc import Iterable, Mapping, Sequence

_COMPARISONS = 50_000  # at 5 to 10 us each
_WORDS = 100  # who mistypes more needs no list of guesses
_LONGEST = 64  # nobody mistypes a longer name, and comparing costs the product of the lengths
_LIKENESS = 0.6
_SURENESS = 0.85
_LONG_ENOUGH = 4  # "m1" and "m2" are alike, and not the same


def closest(word: str, candidates: Sequence[str], *, count: int = 3) -> tuple[str, ...]:
    """Return up to ``count`` candidates that look like ``word``, best first."""
    if len(word) > _LONGEST:
        return ()
    # Imported here: a workflow without a mistyped name never needs it.
    from difflib import get_close_matches

    near = [name for name in candidates if len(name) <= _LONGEST]
    folded = [name for name in near if name.lower() == word.lower()]
    if folded:
        return tuple(folded[:count])
    matches = get_close_matches(word, near, n=count, cutoff=_LIKENESS)
    # One that only the fingers missed leaves no doubt, unless there is a second such.
    slips = tuple(match for match in matches if is_slip(word, match))
    return slips if len(slips) == 1 else tuple(matches)


def closest_of_all(words: Iterable[str], candidates: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the close matches of every word, the first words only where there are very many."""
    limit = min(_WORDS, max(1, _COMPARISONS // max(1, len(candidates))))
    return {word: closest(word, candidates) if index < limit else () for index, word in enumerate(words)}


def is_slip(word: str, meant: str) -> bool:
    """Whether ``word`` is so near to ``meant`` that only the fingers slipped."""
    from difflib import SequenceMatcher

    if len(word) < _LONG_ENOUGH:
        return False
    return _is_swap(word, meant) or SequenceMatcher(None, word, meant).ratio() >= _SURENESS


def _is_swap(word: str, meant: str) -> bool:
    """Whether two letters that stand side by side changed places."""
    if len(word) != len(meant):
        return False
    start = next((at for at, letter in enumerate(word) if letter != meant[at]), len(word))
    return meant == word[:start] + word[start : start + 2][::-1] + word[start + 2 :] and word != meant
