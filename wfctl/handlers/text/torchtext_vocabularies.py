"""Vocabularies that torchtext saved, read without torchtext: it is no longer released and does not fit torch of today.

What torchtext pickled is a class and its state: the first releases a Python object, later ones a module around an
object written in C++, whose state is a version, numbers, the words in their order and tensors.
Invariant: nothing of torchtext runs; its classes are ours here, made of words and numbers only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

_Kind = TypeVar("_Kind", bound=Callable[..., Any])
_UNKNOWN = "<unk>"


class Vocabulary:
    """Words and their numbers, with the number of all words that are not there."""

    words: Sequence[str] = ()
    numbers: Mapping[str, int] = {}
    default: int | None = None

    def __getitem__(self, word: str) -> int:
        found = self.numbers.get(word, self.default)
        if found is None:
            raise KeyError(word)
        return found

    def __contains__(self, word: object) -> bool:
        return word in self.numbers

    def __len__(self) -> int:
        return len(self.words)

    def __call__(self, words: Sequence[str]) -> list[int]:
        """Return the numbers of words."""
        return [self[word] for word in words]

    lookup_indices = __call__

    def get_default_index(self) -> int | None:
        """Return the number of all words that are not there."""
        return self.default

    def get_stoi(self) -> dict[str, int]:
        """Return word -> number."""
        return dict(self.numbers)

    def get_itos(self) -> list[str]:
        """Return the words in the order of their numbers."""
        return list(self.words)

    @property
    def stoi(self) -> Mapping[str, int]:
        """Word -> number."""
        return self.numbers

    @property
    def itos(self) -> Sequence[str]:
        """The words in the order of their numbers."""
        return self.words


def _known_as(module: str, name: str) -> Callable[[_Kind], _Kind]:
    """Give what stands below the name by which torch finds it: that of torchtext, which files hold."""

    def named(kind: _Kind) -> _Kind:
        kind.__module__, kind.__qualname__ = module, name
        return kind

    return named


class _Saved(Vocabulary):
    """A class of Python: with the words in it, or around an object written in C++ that has them."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        inner = state.get("vocab")
        if isinstance(inner, Vocabulary):
            self.words, self.numbers, self.default = inner.words, inner.numbers, inner.default
        else:
            self.words, self.numbers = state["itos"], dict(state["stoi"])
            self.default = self.numbers.get(_UNKNOWN)


@_known_as("torchtext.vocab", "Vocab")
class _Early(_Saved):
    """As of releases before 0.12."""


@_known_as("torchtext.legacy.vocab", "Vocab")
class _Legacy(_Saved):
    """The first class under the name that it got when the second came."""


@_known_as("torchtext.vocab.vocab", "Vocab")
class _Late(_Saved):
    """As of releases from 0.12 on."""


@_known_as("torchtext._torchtext", "Vocab")
class _OfCode(Vocabulary):
    """The object written in C++."""

    def __setstate__(self, state: tuple[str, Sequence[int], Sequence[str], Sequence[Any]]) -> None:
        _, integers, self.words, _ = state
        self.numbers = {word: at for at, word in enumerate(self.words)}
        self.default = integers[0] if integers else None


@_known_as("torchtext.vocab", "_default_unk_index")
def _unknown_number() -> int:
    """Stand for the function that the very first releases kept for words that are not there; read with trust only."""
    return 0


_NAMED = (_Early, _Legacy, _Late, _OfCode, _unknown_number)


@contextmanager
def readable() -> Iterator[None]:
    """Let ``torch.load`` read vocabularies of torchtext as weights in the block."""
    with torch.serialization.safe_globals(list(_NAMED)):
        yield
