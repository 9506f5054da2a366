"""Numbers of words: the ``source_vocab.pt`` of a text model.

A plain dictionary, what torchtext saved, or an object of a class that can be imported and answers like a dictionary.
Invariant: what is handed out answers ``vocabulary[word]``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wfctl.handlers.loading.pickles import load_saved
from wfctl.handlers.prediction_exception import PredictionException
from wfctl.handlers.text.torchtext_vocabularies import readable
from wfctl.handlers.unloadable import UnfitFileError, UnloadableModelError

_UNKNOWN = "<unk>"


def load_vocabulary(path: str, *, is_trusted: bool = True) -> Any:
    """Return the vocabulary in a file of ``torch.save``."""
    name = Path(path).name
    try:
        with readable():
            found = load_saved(path, is_trusted=is_trusted)
    except RuntimeError as reason:
        if "torchtext" not in str(reason):
            raise
        raise UnloadableModelError(
            f'vocabulary "{name}" holds more of torchtext than its words, and torchtext does not fit torch of today; '
            f'save it as a dictionary where torchtext still runs: torch.save(vocab.get_stoi(), "{name}")'
        ) from reason
    if isinstance(found, Mapping):
        return found
    if callable(getattr(found, "get_stoi", None)) and not hasattr(found, "__getitem__"):
        return found.get_stoi()
    if not hasattr(found, "__getitem__") or isinstance(found, list | tuple | str):
        raise UnfitFileError(
            f'vocabulary "{name}" must be a dictionary of words and numbers, not {type(found).__name__}'
        )
    return found


def number_of(vocabulary: Any, word: str) -> int:
    """Return the number of a word, or of ``<unk>`` for one that is not in a dictionary."""
    try:
        return int(vocabulary[word])
    except KeyError:
        if isinstance(vocabulary, Mapping) and _UNKNOWN in vocabulary:
            return int(vocabulary[_UNKNOWN])
        words = f'"{word}" is not in the vocabulary of the model, which has no "{_UNKNOWN}" either'
        raise PredictionException(words, 400) from None
