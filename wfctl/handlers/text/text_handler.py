"""What the handlers of texts share: a vocabulary, a tokenizer and ways to clean a text.

Known to archives as ``ts.torch_handler.text_handler``.
Invariant: exactly one class here; cleaning never depends on the model.
"""

import os
import re
import string
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch

from wfctl.handlers.attributions import layer_integrated_gradients, softmax_of
from wfctl.handlers.base_handler import BaseHandler
from wfctl.handlers.labels import warn_of_numbers
from wfctl.handlers.text.contractions import CONTRACTION_MAP
from wfctl.handlers.text.markup import CLEANUP_REGEX
from wfctl.handlers.text.text_tokens import get_tokenizer
from wfctl.handlers.text.vocabularies import load_vocabulary
from wfctl.handlers.unloadable import UnloadableModelError

CONTRACTIONS_PATTERN = re.compile("|".join(map(re.escape, CONTRACTION_MAP)), flags=re.IGNORECASE)
_SPACE_OF_BYTE_PAIRS = "\u0120"
"""What tokenizers of byte pairs write for a space."""


class TextHandler(BaseHandler):
    """Load a vocabulary beside the model, and clean texts."""

    def __init__(self) -> None:
        super().__init__()
        self.source_vocab: Any = None
        self.tokenizer = get_tokenizer("basic_english")
        self.input_text: Any = None

    def initialize(self, context: Any) -> None:
        """Load the model and its vocabulary."""
        super().initialize(context)
        if self.mapping is None:
            warn_of_numbers()
        self.initialized = False
        named = ((self.manifest or {}).get("model") or {}).get("sourceVocab")
        model_dir = context.system_properties.get("model_dir")
        path = os.path.join(model_dir, named) if named else self.get_source_vocab_path(context)  # noqa: PTH118
        self.source_vocab = load_vocabulary(path, is_trusted=bool(getattr(context, "is_trusted", True)))
        self.initialized = True

    @cached_property
    def lig(self) -> Any:
        """What explains the model by its layer ``embedding``; needs captum."""
        return layer_integrated_gradients(self.model, self.model.embedding)

    def get_source_vocab_path(self, ctx: Any) -> str:
        """Return where the vocabulary is."""
        path = os.path.join(ctx.system_properties.get("model_dir"), "source_vocab.pt")  # noqa: PTH118 - plain text
        if not os.path.isfile(path):  # noqa: PTH113
            raise UnloadableModelError('vocabulary "source_vocab.pt" is not in the archive; add it as an extra file')
        return path

    def _expand_contractions(self, text: str) -> str:
        return CONTRACTIONS_PATTERN.sub(_expanded, text).replace("'", "")

    def _remove_accented_characters(self, text: str) -> str:
        return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")

    def _remove_html_tags(self, text: str) -> str:
        return CLEANUP_REGEX.sub("", text)

    def _remove_punctuation(self, text: str) -> str:
        return text.translate(str.maketrans("", "", string.punctuation))

    def _remove_puncutation(self, *args: Any, **kwargs: Any) -> str:
        # The name that the first handlers were written with.
        return self._remove_punctuation(*args, **kwargs)

    def _tokenize(self, text: str) -> list[str]:
        return self.tokenizer(text)

    def get_word_token(self, input_tokens: Sequence[str]) -> list[str]:
        """Return tokens without the mark that byte pairs have for a space."""
        return [token.replace(_SPACE_OF_BYTE_PAIRS, "") for token in input_tokens]

    def summarize_attributions(self, attributions: torch.Tensor) -> torch.Tensor:
        """Return attributions as shares, by the length of their sums over the last dimension."""
        shares = softmax_of(attributions)
        length: torch.Tensor = torch.linalg.vector_norm(shares.sum(dim=-1))
        return shares / length


def _expanded(found: re.Match[str]) -> str:
    # The first letter stays, so that capitals do; models were fed with what this makes of "ain't" and "'cause".
    contraction = found.group(0)
    return contraction[0] + CONTRACTION_MAP[contraction.lower()][1:]
